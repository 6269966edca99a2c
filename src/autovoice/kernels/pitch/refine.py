"""Sharpen pitch, and check its octave, on the harmonics of all frames at once.

See ``analyse.pitch.refine`` for what is measured and why. Here every frame's partials come from one
product of the frame with cosines and sines, in place of two hundred small steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.pitch.constants import (
    HALF_PRESENT,
    HARMONICS,
    LONGEST_S,
    MAX_CHANGE,
    ODD_ABSENT,
    PERIODS,
    SAMPLE_RATE_HZ,
    SHORTEST_S,
)

_HALF = math.ceil(LONGEST_S * SAMPLE_RATE_HZ / 2)
# Memory: 8 partials, 1,025 samples, 4 bytes and three such tensors come to 100 kB a frame.
_BLOCK_FRAMES = 2_048


def frames_around(samples: Tensor, hop_samples: int, count: int) -> Tensor:
    """Cut 64 ms around each multiple of a hop, silence beyond the ends; ``[B, T] -> [B, F, W]``."""
    missing = (count - 1) * hop_samples + _HALF + 1 - samples.shape[1]
    return F.pad(samples, (_HALF, missing)).unfold(1, 2 * _HALF + 1, hop_samples)


def refine_f0(cuts: Tensor, f0_hz: Tensor) -> Tensor:
    """Sharpen F0, all above 0; ``cuts: [B, F, W]``, ``[B, F] -> [B, F]``."""
    return _in_blocks(_refined, cuts, f0_hz)


def octave_evidence(cuts: Tensor, f0_hz: Tensor) -> Tensor:
    """Say where the partials deny the octave: -1 one too high, 1 one too low; as ``refine_f0``."""
    return _in_blocks(_evidence, cuts, f0_hz)


def _in_blocks(work, cuts: Tensor, f0_hz: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
    rows, hz = cuts.flatten(0, 1), f0_hz.flatten()
    blocks = zip(*(torch.split(x, _BLOCK_FRAMES) for x in (rows, hz)), strict=True)
    return torch.cat([work(*block) for block in blocks]).view(f0_hz.shape)


def _times(cuts: Tensor) -> Tensor:
    return torch.arange(-_HALF, _HALF + 1, device=cuts.device) / SAMPLE_RATE_HZ


def _partials(sounds: Tensor, time_s: Tensor, f0_hz: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of partials 1 to ``count``, ``[N, n, W] -> [N, count, n]``."""
    numbers = torch.arange(1, count + 1, device=f0_hz.device)[:, None]
    phase = ((2 * math.pi) * f0_hz[:, None] * time_s)[:, None] * numbers
    return phase.cos() @ sounds.mT, -(phase.sin() @ sounds.mT)


def _refined(cuts: Tensor, f0_hz: Tensor) -> Tensor:
    time_s = _times(cuts)
    length_s = (PERIODS / f0_hz).clamp(SHORTEST_S, LONGEST_S)[:, None]
    phase = (2 * math.pi) * time_s / length_s
    under = phase.abs() < math.pi
    window = (0.5 + 0.5 * phase.cos()) * under
    slope = (-math.pi / length_s) * phase.sin() * under
    both = cuts[:, None] * torch.stack([window, slope], 1)
    real, imaginary = _partials(both, time_s, f0_hz, HARMONICS)
    power = (real[..., 0].square() + imaginary[..., 0].square()).clamp_min(1e-20)
    drift = (imaginary[..., 1] * real[..., 0] - real[..., 1] * imaginary[..., 0]) / power
    numbers = torch.arange(1, HARMONICS + 1, device=f0_hz.device)
    estimate = f0_hz[:, None] - drift / (2 * math.pi * numbers)
    sound = (estimate / f0_hz[:, None] - 1).abs() < MAX_CHANGE
    audible = numbers * f0_hz[:, None] < 0.45 * SAMPLE_RATE_HZ
    weight = numbers * power.sqrt() * (sound & audible)
    weights = weight.sum(1)
    mean = (weight * estimate).sum(1) / weights.clamp_min(1e-20)
    return torch.where(weights > 0, mean, f0_hz)


def _evidence(cuts: Tensor, f0_hz: Tensor) -> Tensor:
    time_s = _times(cuts)
    length_s = (2 * PERIODS / f0_hz).clamp(SHORTEST_S, LONGEST_S)[:, None]
    phase = (2 * math.pi) * time_s / length_s
    window = (0.5 + 0.5 * phase.cos()) * (phase.abs() < math.pi)
    real, imaginary = _partials((cuts * window)[:, None], time_s, f0_hz / 2, 8)
    level = (real.square() + imaginary.square()).sqrt()[..., 0]
    numbers = torch.arange(1, 9, device=f0_hz.device)
    heard = level * (numbers * f0_hz[:, None] / 2 < 7200)
    between = heard[:, 0] + heard[:, 2] + heard[:, 4]
    odd, even = heard[:, 1] + heard[:, 5], heard[:, 3] + heard[:, 7]
    too_high = (between > HALF_PRESENT * (odd + even)) & (f0_hz > 130.0)
    too_low = (odd < ODD_ABSENT * even) & (f0_hz < 550.0)
    return too_low.float() - too_high.float()
