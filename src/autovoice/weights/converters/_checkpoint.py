"""Read a PyTorch checkpoint without running anything that it holds."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from autovoice.errors import WeightsError


def load_checkpoint(path: Path) -> Any:
    """Unpickle with ``weights_only=True``, on the CPU.

    Raises:
        WeightsError: it is no checkpoint, or holds more than tensors and plain containers.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path.name}: not a checkpoint of plain tensors ({first})") from error


def floats_of(state: Any, what: str) -> dict[str, torch.Tensor]:
    """Return the floating-point tensors of a state dict, contiguous and in their own memory.

    Counters such as ``num_batches_tracked`` only matter in training and are left out.

    Raises:
        WeightsError: it is not a dict of tensors.
    """
    if not isinstance(state, dict) or not state:
        raise WeightsError(f"{what}: found {type(state).__name__}, expected a dict of tensors")
    odd = [key for key, value in state.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise WeightsError(f"{what}: {odd[0]!r} is not a tensor")
    return {
        str(key): value.detach().clone().contiguous()
        for key, value in state.items()
        if value.is_floating_point()
    }
