"""From a network's raw estimates to pitch curves, for a batch; see ``pitch.finish``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.kernels import FrameRules, pitch_finish


def levelled(samples: Tensor, peak: float = 0.15) -> Tensor:
    """Scale each sound to a common peak, as ``pitch.base.levelled``; silence stays; ``[B, T]``."""
    found = samples.abs().amax(1, keepdim=True)
    return samples * torch.where(found < 1e-5, 0.0, peak / found.clamp_min(1e-5))


def finish(
    samples: Tensor, f0_hz: Tensor, confidence: Tensor, hop_samples: int, rules: VoicingRules
) -> tuple[Tensor, Tensor]:
    """Decide voicing, put octaves right and sharpen.

    Args:
        samples: ``[B, T]`` at 16 kHz, at the recordings' own level.
        f0_hz, confidence: ``[B, F]`` of every frame, voiced or not, around multiples of a hop.
        hop_samples: between the network's frames.
        rules: the voicing decision.

    Returns:
        F0, 0 where unvoiced, and confidence, ``[B, T // 128 + 1]`` each.
    """
    in_frames = frame_rules(rules, hop_samples / SAMPLE_RATE_HZ)
    return pitch_finish(samples, f0_hz, confidence, hop_samples=hop_samples, rules=in_frames)


def frame_rules(rules: VoicingRules, hop_s: float) -> FrameRules:
    """Return the voicing decision in frames of ``hop_s`` seconds."""
    return FrameRules(
        start=rules.start,
        hold=rules.hold,
        gate_db=rules.gate_db,
        range_db=rules.range_db,
        most_gap=int(rules.max_gap_s / hop_s + 1e-9),
        least_run=math.ceil(rules.min_run_s / hop_s - 1e-9),
    )
