"""Runs of frames that have something in common, without a loop over them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def ends(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the last frame of the run that each frame of a mask is in.

    Args:
        mask: ``[B, F]`` bool.

    Returns:
        Two of ``[B, F]`` int64; outside of the mask any frame of the sound.
    """
    frames = mask.shape[1]
    place = torch.arange(frames, device=mask.device)
    outside = ~mask
    first = torch.where(outside, place + 1, 0).cummax(1).values
    last = torch.where(outside, place - 1, frames - 1).flip(1).cummin(1).values.flip(1)
    return first.clamp_max(frames - 1), last.clamp_min(0)


def highest(values: Tensor, first: Tensor, mask: Tensor) -> Tensor:
    """Return the highest value of each frame's run.

    Args:
        values: ``[B, F]``.
        first: ``[B, F]``, of ``ends(mask)``.
        mask: ``[B, F]`` bool; what is outside of it counts nowhere.
    """
    lowest = torch.finfo(values.dtype).min
    counted = torch.where(mask, values, lowest)
    found = torch.full_like(values, lowest).scatter_reduce(1, first, counted, "amax")
    return found.gather(1, first)


def opened(mask: Tensor, width: int) -> Tensor:
    """Return a mask without what is shorter than ``width`` frames, ``[B, F]``."""
    if mask.shape[1] < width:
        return torch.zeros_like(mask)
    whole = -F.max_pool1d(-mask.float(), width, 1)
    return F.max_pool1d(F.pad(whole, (width - 1, width - 1)), width, 1) > 0


def widened(mask: Tensor, reach: int) -> Tensor:
    """Return a mask with ``reach`` frames more on both sides of each run, ``[B, F]``."""
    return F.max_pool1d(mask.float(), 2 * reach + 1, 1, padding=reach) > 0


def percentile(values: Tensor, mask: Tensor, percent: float) -> Tensor:
    """Return a percentile of what a mask leaves, as NumPy has it; ``[B, F] -> [B, 1]``.

    Where the mask leaves nothing, the result is no number.
    """
    rows = torch.where(mask, values, torch.inf).sort(1).values
    place = (mask.sum(1, keepdim=True) - 1).clamp_min(0).double() * (percent / 100)
    low, high = place.floor().long(), place.ceil().long()
    left, right = rows.gather(1, low), rows.gather(1, high)
    return left.lerp(right, (place - low).to(values.dtype))
