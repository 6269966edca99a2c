"""Loudness, dynamics and place of vocals, as slow curves with one value per 100 ms.

Shapes: ``B`` songs, ``C`` channels, ``N`` steps of 100 ms; float64, as sums of powers span a lot.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.mix.dynamics import FLOOR_DB, MOST_DOWN_DB, MOST_MATCH_DB, MOST_UP_DB
from autovoice.mix.dynamics import SMOOTHING_S as FOLLOWED_S
from autovoice.mix.loudness import (
    ABSOLUTE_GATE_LUFS,
    RELATIVE_GATE_LU,
    STEPS_PER_BLOCK,
    STEPS_PER_S,
    power_of,
)
from autovoice.mix.stereo import SMOOTHING_S as PLACED_S
from autovoice.mix.stereo import USUAL_SHARE


def block_means(powers: Tensor) -> Tensor:
    """Return the mean of every 4 steps, ``[..., N] -> [..., max(N - 3, 1)]``."""
    if powers.shape[-1] <= STEPS_PER_BLOCK:
        return powers.mean(-1, keepdim=True)
    return powers.unfold(-1, STEPS_PER_BLOCK, 1).mean(-1)


def gated(blocks: Tensor) -> Tensor:
    """Tell which blocks count, as ``loudness.gated`` does; ``[B, K] -> [B, K]``, 0 or 1."""
    loud = (blocks > power_of(ABSOLUTE_GATE_LUFS)).to(blocks.dtype)
    relative = _mean(blocks, loud) * 10 ** (RELATIVE_GATE_LU / 10)
    return loud * (blocks > relative)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of what counts, 0 where nothing does; ``[B, K] -> [B, 1]``."""
    count = counted.sum(-1, keepdim=True).clamp_min(1)
    return (values * counted).sum(-1, keepdim=True) / count


def matching_gain(source: Tensor, kept: Tensor, converted: Tensor) -> Tensor:
    """Return the gain of ``dynamics.matching_gain``, 0 where one of the two is silent.

    Args:
        source: ``[B, K]`` block means of the source's powers.
        kept: ``[B, K]`` which of them count.
        converted: ``[B, N]`` powers of the converted vocal.

    Shape: ``[B, 1]``.
    """
    wanted, found = _mean(source, kept), _mean(block_means(converted), kept)
    limit = 10 ** (MOST_MATCH_DB / 20)
    gain = (wanted / found.clamp_min(1e-300)).sqrt().clamp(1 / limit, limit)
    return gain * ((wanted > 0) & (found > 0))


def following_gain(source: Tensor, converted: Tensor, kept: Tensor, strength: float) -> Tensor:
    """Return the slow gain of ``dynamics.following_gain``, ``[B, N]`` around 1.

    Args:
        source, converted: ``[B, N]`` powers, summed over the channels.
        kept: ``[B, K]`` which blocks of the source count.
        strength: 0 to 1.
    """
    if not strength:
        return torch.ones_like(source)
    blocks = block_means(source)
    overall = matching_gain(blocks, kept, converted).square()
    floor = 10 ** (FLOOR_DB / 10) * _mean(blocks, kept)
    slow = smoothed(torch.stack([source, converted], 1), FOLLOWED_S)
    # Where nothing counts there is no ratio, and nothing to follow.
    ratio = (slow[:, 0] + floor) / (overall * slow[:, 1] + floor).clamp_min(1e-300)
    change_db = (10 * torch.log10(ratio.clamp_min(1e-300))).clamp(-MOST_DOWN_DB, MOST_UP_DB)
    gains = torch.pow(10.0, change_db * (strength / 20))
    return torch.where(overall > 0, gains, 1.0)


def pan_gains(powers: Tensor) -> Tensor:
    """Return the gains of ``stereo.pan_gains``, ``[B, C, N]``."""
    usual = powers.mean(2, keepdim=True)
    shares = smoothed(powers, PLACED_S) + USUAL_SHARE * usual
    total = shares.sum(1, keepdim=True)
    even = powers.shape[1] ** -0.5
    gains = (shares / total.clamp_min(1e-300)).sqrt()
    return torch.where(usual.sum(1, keepdim=True) > 0, gains, even)


def smoothed(curves: Tensor, width_s: float) -> Tensor:
    """Return curves under the window of ``curves.smoothed``, ``[B, C, N]``."""
    window, weight = _hann(width_s, curves.shape[-1], curves.device)
    half = len(window) // 2
    return (F.pad(curves, (half, half)).unfold(-1, len(window), 1) @ window) / weight


@cache
def _hann(width_s: float, steps: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the window, and how much of it lies over each of ``steps``; kept for graphs."""
    window = np.hanning(2 * max(round(width_s * STEPS_PER_S / 2), 1) + 1)[1:-1]
    half = len(window) // 2
    weight = np.convolve(np.ones(steps), window)[half : half + steps]
    return torch.from_numpy(window).to(device), torch.from_numpy(weight).to(device)
