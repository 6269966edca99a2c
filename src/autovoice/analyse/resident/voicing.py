"""Decide which frames are voiced, for a batch; see ``pitch.voicing``."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.analyse.resident.runs import ends, highest


def frame_level_db(samples: Tensor, frames: int, hop_samples: int) -> Tensor:
    """Measure the level of two hops around each multiple of a hop, dBFS; ``[B, T] -> [B, F]``."""
    missing = frames * hop_samples - samples.shape[1]
    hops = F.pad(samples, (hop_samples, missing)).view(len(samples), -1, hop_samples)
    power = hops.square().sum(2).unfold(1, 2, 1).sum(2) / (2 * hop_samples)
    return 10 * torch.log10(power.clamp_min(1e-12))


def decide_voicing(
    confidence: Tensor, level_db: Tensor, hop_s: float, rules: VoicingRules
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
    short = last - first < int(rules.max_gap_s / hop_s + 1e-9)
    silent = highest((~audible).float(), first, gap) > 0
    voiced = voiced | (gap & inside & short & ~silent)
    first, last = ends(voiced)
    kept = voiced & (last - first + 1 >= math.ceil(rules.min_run_s / hop_s - 1e-9))
    return kept, first, last
