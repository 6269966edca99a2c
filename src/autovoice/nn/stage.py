"""The base of every stage that runs a network: device, precision, fall-back to the CPU."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import nn

log = logging.getLogger(__name__)
T = TypeVar("T")


class NetworkStage:
    """Hold networks on a device and run work on them.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run under autocast (float16 on CUDA, bfloat16 on the CPU). Default off.
        cpu_fallback: when the device runs out of memory, move to the CPU and try again. Default on.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
    ) -> None:
        self.device = torch.device(device)
        self.mixed_precision = mixed_precision
        self.cpu_fallback = cpu_fallback
        self._networks: list[nn.Module] = []

    def add_network(self, network: nn.Module) -> None:
        """Take over a network: inference only, on this stage's device."""
        self._networks.append(network.eval().requires_grad_(False).to(self.device))

    def guarded(self, work: Callable[[], T]) -> T:
        """Run ``work`` without gradients; on out-of-memory run it once more on the CPU.

        ``work`` must read ``self.device`` each time it is called.
        """
        try:
            with torch.inference_mode(), self._autocast():
                return work()
        except torch.cuda.OutOfMemoryError:
            if not self.cpu_fallback or self.device.type == "cpu":
                raise
        name = type(self).__name__
        log.warning("%s: %s is out of memory, going on on the CPU", name, self.device)
        self.to("cpu")
        torch.cuda.empty_cache()
        with torch.inference_mode(), self._autocast():
            return work()

    def to(self, device: str | torch.device) -> None:
        """Move every network to ``device``."""
        self.device = torch.device(device)
        for network in self._networks:
            network.to(self.device)

    @contextlib.contextmanager
    def _autocast(self) -> Iterator[None]:
        if not self.mixed_precision:
            yield
            return
        dtype = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=dtype):
            yield
