"""What the decoder normalises by, carried from window to window of one stream.

See ``nn.moment_memory``, which does so for many streams at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from autovoice.nn.moment_memory import MomentMemory


class RunningMoments:
    """Mean and power of each layer's channels so far."""

    def __init__(self) -> None:
        self._kept: Tensor | None = None
        self._weight: Tensor | None = None

    def forget(self) -> None:
        """Begin anew."""
        self._kept = self._weight = None

    @contextlib.contextmanager
    def worn_by(self, network: nn.Module, seconds: float) -> Iterator[None]:
        """Let a network normalise by these moments; ``seconds`` of its input are new."""
        weight = self._weight
        if weight is None:
            weight = torch.zeros(1, 1, device=next(network.parameters()).device)
        memory = MomentMemory(self._kept, weight, seconds)
        with memory.worn_by(network):
            yield
        self._kept, self._weight = memory.kept, memory.weight
