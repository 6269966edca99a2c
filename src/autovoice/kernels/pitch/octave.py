"""Put octaves right, for a batch; see ``analyse.pitch.octave``.

The path of least cost is found by doubling: what the costs of ``n`` frames are is known from two
halves, so a sound takes as many steps as its number of frames has digits.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from autovoice.kernels.pitch.constants import (
    FREE_STEP_OCTAVES,
    MAX_EXCURSION_S,
    SHIFTS_OCTAVES,
    VOTE_FRAMES,
)


def around(first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places of the frames that are asked about each, within its run, ``[B, F, 5]``.

    Args:
        first, last: ``[B, F]``, the run that each frame is in.

    Returns:
        Places beyond an end of a run at its end; and mirrored there.
    """
    half = VOTE_FRAMES // 2
    place = torch.arange(first.shape[1], device=first.device)[:, None]
    near = place + torch.arange(-half, half + 1, device=first.device)
    first, last = first[..., None], last[..., None]
    held = near.maximum(first).minimum(last)
    turn = (2 * (last - first)).clamp_min(1)
    mirrored = (near - first).remainder(turn)
    mirrored = first + mirrored.minimum(turn - mirrored)
    return held, mirrored.minimum(last)


def _read(values: Tensor, places: Tensor) -> Tensor:
    """Read ``[B, F]`` at ``[B, F, n]``."""
    return values.gather(1, places.flatten(1)).view(places.shape)


def follow_evidence(f0_hz: Tensor, evidence: Tensor, voiced: Tensor, held: Tensor) -> Tensor:
    """Shift by an octave where most of the frames around ask for it, ``[B, F]``."""
    votes = _read(torch.where(voiced, evidence, 0.0), held).median(2).values
    return torch.where(voiced, f0_hz * votes.exp2(), f0_hz)


def repair_octaves(
    f0_hz: Tensor, voiced: Tensor, first: Tensor, mirrored: Tensor, hop_s: float
) -> Tensor:
    """Undo jumps of about an octave that return soon, run by run.

    Args:
        f0_hz: ``[B, F]``, above 0 where voiced.
        voiced: ``[B, F]`` bool.
        first: ``[B, F]``, where each frame's run begins.
        mirrored: of ``around``.
        hop_s: seconds between frames.
    """
    middle = _read(f0_hz, mirrored).median(2).values
    spike = (f0_hz / middle).log2().abs() > FREE_STEP_OCTAVES
    cleaned = torch.where(spike, middle, f0_hz)
    octaves = cleaned.clamp_min(1.0).double().log2()
    place = torch.arange(first.shape[1], device=first.device)
    joined = voiced & (first < place)
    return cleaned * best_shifts(octaves, joined, 2 * hop_s / MAX_EXCURSION_S).exp2()


def best_shifts(octaves: Tensor, joined: Tensor, shifted_cost: float) -> Tensor:
    """Return the shifts of least cost, ``[B, F]`` of -1, 0 and 1.

    Args:
        octaves: ``[B, F]`` log2 of the frequency, float64.
        joined: ``[B, F]``, whether a frame goes on with what the one before it sings.
        shifted_cost: of a frame that is shifted.
    """
    if octaves.shape[1] < 2:
        return torch.zeros_like(octaves, dtype=torch.float32)
    shifts = _shifts(octaves.device)
    change = shifts[None, :] - shifts[:, None]
    step = octaves.diff(dim=1)[..., None, None] + change
    jump = (step.abs() - FREE_STEP_OCTAVES).clamp_min(0) / (1 - FREE_STEP_OCTAVES)
    # Between two runs any change is free.
    jump = jump * joined[:, 1:, None, None]
    stay = shifted_cost * shifts.abs()
    costs = (stay[:, None] + _summed(jump + stay)).amin(2)
    costs = torch.cat([stay.expand(len(costs), 1, -1), costs], 1)
    back = (costs[:, :-1, :, None] + jump).argmin(2)
    end = costs[:, -1:].argmin(2, keepdim=True)
    states = torch.cat([_composed(back).gather(2, end.expand(-1, back.shape[1], 1)), end], 1)
    return shifts[states[..., 0]].float()


@cache
def _shifts(device: torch.device) -> Tensor:
    """Keep the shifts on a device: graphs read them where they lie."""
    return torch.tensor(SHIFTS_OCTAVES, dtype=torch.float64, device=device)


def _summed(moves: Tensor) -> Tensor:
    """Return the least cost from the first state to each, of ``[B, F, from, to]``."""
    span = 1
    while span < moves.shape[1]:
        both = moves[:, :-span, :, :, None] + moves[:, span:, None]
        moves = torch.cat([moves[:, :span], both.amin(3)], 1)
        span *= 2
    return moves


def _composed(back: Tensor) -> Tensor:
    """Return the state at each frame for each state at the end, of ``[B, F, states]``."""
    span = 1
    while span < back.shape[1]:
        further = back[:, :-span].gather(2, back[:, span:])
        back = torch.cat([further, back[:, -span:]], 1)
        span *= 2
    return back
