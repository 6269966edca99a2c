"""Choose where the networks run, and keep them under a cap of memory."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from autovoice.config import format_bytes
from autovoice.errors import InputError, ResourceError

log = logging.getLogger(__name__)
LEAST_VRAM_BYTES = 1 << 30


@dataclass(frozen=True)
class Choice:
    """A device and why it was chosen.

    Args:
        device: ``cpu`` or ``cuda:N``.
        reason: one clause for people.
    """

    device: str
    reason: str


def choose(wish: str = "auto") -> Choice:
    """Return the device for a wish.

    Args:
        wish: ``auto`` (a GPU when one works), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: the wish is no device.
        ResourceError: a GPU was asked for and cannot be used.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", wish):
        raise InputError(f"device: found {wish!r}, expected auto, cpu, cuda or cuda:N")
    if wish == "cpu":
        return Choice("cpu", "asked for")
    count, problem = _gpus()
    if wish == "auto":
        return Choice("cuda:0", "a GPU is there") if count else Choice("cpu", problem)
    index = int(wish.partition(":")[2] or 0)
    if index >= count:
        found = problem if not count else f"found {count} GPU(s), numbered from 0"
        raise ResourceError(f"device {wish}: {found}; use --device auto or --device cpu")
    return Choice(f"cuda:{index}", "asked for")


def cap_memory(device: str, vram_bytes: int | None) -> None:
    """Hold this process under ``vram_bytes`` of GPU memory; nothing to do on the CPU.

    Raises:
        InputError: the cap is under what the models alone need.
    """
    if vram_bytes is None or not device.startswith("cuda"):
        return
    if vram_bytes < LEAST_VRAM_BYTES:
        raise InputError(
            f"vram: found {format_bytes(vram_bytes)}, expected at least "
            f"{format_bytes(LEAST_VRAM_BYTES)}; use --device cpu instead"
        )
    import torch

    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, vram_bytes / total), device)


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an error of a stage means that its device has too little memory left."""
    from autovoice.nn.stage import is_out_of_memory

    return isinstance(error, ResourceError) or is_out_of_memory(error)


def release(device: str) -> None:
    """Give cached GPU memory back after a failed try."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def _gpus() -> tuple[int, str]:
    """Return how many GPUs work, and why there are none."""
    import torch

    if torch.version.cuda is None:
        return 0, "this PyTorch is built without CUDA"
    try:
        if not torch.cuda.is_available():
            return 0, "no CUDA device was found"
        count = torch.cuda.device_count()
        torch.zeros(1, device="cuda:0")
    except (RuntimeError, AssertionError) as error:
        log.warning("the GPU is there but does not work: %s", error)
        return 0, "the GPU does not work"
    return count, ""
