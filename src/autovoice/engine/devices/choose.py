"""Choose where the networks run: the GPU with the most free memory, else the CPU, and say why."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from autovoice.config import format_bytes
from autovoice.engine.devices.room import LEAST_VRAM_BYTES, free_bytes
from autovoice.errors import InputError, ResourceError

log = logging.getLogger(__name__)
_BROKEN = "the GPU does not work"


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
        wish: ``auto`` (the GPU with the most free memory, where one works and has room), ``cpu``,
            ``cuda`` (the same GPU, however full) or ``cuda:N``.

    Raises:
        InputError: the wish is no device.
        ResourceError: a GPU was asked for and cannot be used.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", wish):
        raise InputError(f"device: found {wish!r}, expected auto, cpu, cuda or cuda:N")
    if wish == "cpu":
        return Choice("cpu", "asked for")
    count, problem = _count()
    if wish.startswith("cuda:"):
        index = int(wish.removeprefix("cuda:"))
        if index >= count:
            raise _unusable(wish, problem or f"found {count} GPU(s), numbered from 0")
        if not _works(index):
            raise _unusable(wish, _BROKEN)
        return Choice(f"cuda:{index}", "asked for")
    usable = working_gpus()
    if wish == "auto":
        return _emptiest(usable) if usable else Choice("cpu", problem or _BROKEN)
    if not usable:
        raise _unusable(wish, problem or _BROKEN)
    return Choice(f"cuda:{usable[0]}", "asked for")


def working_gpus() -> list[int]:
    """Return the numbers of the GPUs that work, the one with the most free memory first."""
    count, _ = _count()
    if count > 1:
        return [index for index in sorted(range(count), key=_emptier_first) if _works(index)]
    return [index for index in range(count) if _works(index)]


def _emptier_first(index: int) -> int:
    return -(free_bytes(index) or 0)


def _emptiest(usable: list[int]) -> Choice:
    """Return the first of the GPUs, or the CPU where there is no room on it."""
    first, free = usable[0], free_bytes(usable[0])
    if free is None:
        return Choice(f"cuda:{first}", "a GPU is there")
    if free < LEAST_VRAM_BYTES:
        return Choice(
            "cpu",
            f"cuda:{first} has {format_bytes(free)} of memory free, "
            f"{format_bytes(LEAST_VRAM_BYTES)} are needed",
        )
    most = f"most free memory of {len(usable)} GPUs: " if len(usable) > 1 else "a GPU is there, "
    return Choice(f"cuda:{first}", f"{most}{format_bytes(free)} free")


def _unusable(wish: str, problem: str) -> ResourceError:
    return ResourceError(f"device {wish}: {problem}; use --device auto or --device cpu")


def _count() -> tuple[int, str]:
    """Return how many GPUs there are, and why there are none."""
    import torch

    if torch.version.cuda is None:
        return 0, "this PyTorch is built without CUDA"
    try:
        if not torch.cuda.is_available():
            return 0, "no CUDA device was found"
        return torch.cuda.device_count(), ""
    except (RuntimeError, AssertionError) as error:
        log.warning("the GPU is there but does not work: %s", error)
        return 0, "the GPU does not work"


def _works(index: int) -> bool:
    """Tell whether something can be put on a GPU."""
    import torch

    try:
        torch.zeros(1, device=f"cuda:{index}")
    except (RuntimeError, AssertionError) as error:
        log.warning("cuda:%d is there but does not work: %s", index, error)
        return False
    return True
