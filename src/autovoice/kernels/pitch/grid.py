"""Read a curve between its frames, for a batch; see ``analyse.pitch.grid``."""

from __future__ import annotations

import torch
from torch import Tensor


def interpolated(values: Tensor, position: Tensor) -> Tensor:
    """Read ``[B, F]`` between frames, straight lines, flat beyond the ends, ``[B, n]``."""
    place = position.clamp(0, values.shape[1] - 1)
    low = place.floor().long().clamp_max(max(values.shape[1] - 2, 0))
    high = (low + 1).clamp_max(values.shape[1] - 1)
    part = (place - low).to(values.dtype)
    left, right = values[:, low], values[:, high]
    return left + (right - left) * part


def between(
    f0_hz: Tensor, voiced: Tensor, runs: tuple[Tensor, Tensor], position: Tensor
) -> tuple[Tensor, Tensor]:
    """Read F0 between frames, cubic in its logarithm within each run; see ``analyse.pitch.grid``.

    Args:
        f0_hz: ``[B, F]``, above 0.
        voiced: ``[B, F]`` bool.
        runs: the first and last frame of the run that each frame is in, ``[B, F]``.
        position: ``[n]`` in frames, float64.

    Returns:
        F0 and whether it is voiced, ``[B, n]``.
    """
    nearest = (position + 0.5).floor().long()
    inside = nearest < f0_hz.shape[1]
    nearest = nearest.clamp_max(f0_hz.shape[1] - 1)
    first, last = (ends_of[:, nearest] for ends_of in runs)
    logs = f0_hz.double().log()
    place = position.maximum(first).minimum(last)
    index = place.floor().long().minimum((last - 1).maximum(first))
    part = place - index
    reach = torch.arange(-1, 3, device=index.device)
    places = (index[..., None] + reach).maximum(first[..., None]).minimum(last[..., None])
    before, here, there, after = logs.gather(1, places.flatten(1)).view(places.shape).unbind(2)
    before = torch.where(index == first, 2 * here - there, before)
    after = torch.where(index + 1 >= last, 2 * there - here, after)
    curve = (2 * before - 5 * here + 4 * there - after) + part * (
        3 * (here - there) + after - before
    )
    curve = here + 0.5 * part * ((there - before) + part * curve)
    return curve.exp().float(), voiced[:, nearest] & inside
