"""Decide which frames are voiced, for a batch; see ``analyse.pitch.voicing``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.pitch.runs import ends, highest


@dataclass(frozen=True)
class FrameRules:
    """How sure a frame must be, and what is too short to count, in frames.

    Args:
        start: confidence at which a voiced run may begin, 0 to 1.
        hold: confidence down to which it goes on.
        gate_db: level in dBFS under which nothing is voiced.
        range_db: the same, below the loud part of the recording.
        most_gap: longest gap inside a voiced stretch that is filled.
        least_run: shortest voiced run that is kept.
    """

    start: float
    hold: float
    gate_db: float
    range_db: float
    most_gap: int
    least_run: int


def frame_level_db(samples: Tensor, frames: int, hop_samples: int) -> Tensor:
    """Measure the level of two hops around each multiple of a hop, dBFS; ``[B, T] -> [B, F]``."""
    missing = frames * hop_samples - samples.shape[1]
    hops = F.pad(samples, (hop_samples, missing)).view(len(samples), -1, hop_samples)
    power = hops.square().sum(2).unfold(1, 2, 1).sum(2) / (2 * hop_samples)
    return 10 * torch.log10(power.clamp_min(1e-12))


def decide_voicing(
    confidence: Tensor, level_db: Tensor, rules: FrameRules
) -> tuple[Tensor, Tensor, Tensor]:
    """Turn confidence and level into a voicing decision with hysteresis.

    Returns:
        ``[B, F]`` bool, and the first and last frame of the run that each voiced frame is in.
    """
    place = 0.95 * (level_db.shape[1] - 1)
    low, high = math.floor(place), math.ceil(place)
    levels = level_db.sort(1).values
    loud = levels[:, low : low + 1].lerp(levels[:, high : high + 1], place - low)
    audible = level_db > (loud - rules.range_db).clamp_min(rules.gate_db)
    held = audible & (confidence >= rules.hold)
    voiced = held & (highest(confidence, ends(held)[0], held) >= rules.start)
    gap = ~voiced
    first, last = ends(gap)
    inside = (first > 0) & (last < gap.shape[1] - 1)
    short = last - first < rules.most_gap
    silent = highest((~audible).float(), first, gap) > 0
    voiced = voiced | (gap & inside & short & ~silent)
    first, last = ends(voiced)
    kept = voiced & (last - first + 1 >= rules.least_run)
    return kept, first, last
