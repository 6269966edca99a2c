"""Spectra compared in power, and valleys between formants that are too shallow.

A speaker network, like an ear, goes by the strong bands; a distance of logarithms is ruled by the
weak ones. And a model that is trained on means fills the valleys between formants, which no mean
distance charges enough: here only what is too shallow costs anything.

Source: Bray and Curtis (1957) for the share that two amounts do not have in common; closing by
dilation and erosion (Serra 1982) for the depth of a valley.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.mel24k import MEAN, MELS, SCALE

BANDS = 67  # below 7.6 kHz, which every recording of the corpus has at its own speed
_TOP_HZ = 12_000.0
_POOL_FRAMES = 4  # 50 ms
_REACH_BANDS = 8  # a valley is at most twice as wide: 700 Hz at 1 kHz
# In natural logarithms of power: 1.5, 25 and 13 dB.
_TOLERANCE, _LOUD, _DEEPEST = 0.35, 5.8, 3.0
# A band may differ by such a share, as another sentence does by itself (1.5 dB).
_SHARE = 0.3
_SILENCE = 1e-3


def _power(log_mel: Tensor) -> Tensor:
    """Return power, pooled over 50 ms: ``[B, 80, T]`` normalised -> ``[B, 67, T // 4]``."""
    power = torch.exp(SCALE * log_mel[:, :BANDS].float() + MEAN)
    return F.avg_pool1d(power, min(_POOL_FRAMES, power.shape[2]))


def bands_inside(band_hz: Tensor) -> Tensor:
    """Return 1 for bands that lie within a recording's own, ``[B] -> [B, 67, 1]``."""
    most = 2595.0 * math.log10(1.0 + _TOP_HZ / 700.0)
    edge = torch.arange(2, BANDS + 2, device=band_hz.device) * (most / (MELS + 1))
    top_hz = 700.0 * (10.0 ** (edge / 2595.0) - 1.0)
    return (top_hz[None] <= band_hz[:, None]).float()[..., None]


def power_gap(made: Tensor, real: Tensor, band_hz: Tensor) -> Tensor:
    """Return the share of power that two sounds do not have in common, 0 to 1.

    Args:
        made, real: log-mel spectra of ``Mel24k``, ``[B, 80, T]``.
        band_hz: ``[B]`` up to where to compare.
    """
    inside = bands_inside(band_hz)
    ours, true = _power(made) * inside, _power(real) * inside
    apart = (ours - true).abs().sum((1, 2))
    return (apart / ((ours + true).sum((1, 2)) + _SILENCE)).mean()


def long_power_gap(made: Tensor, wanted: Tensor) -> Tensor:
    """Return how far two voices share their power out differently over the bands, 0 to 1.

    What another sentence changes by itself is free. Shape: ``[B, 80, T]`` each -> scalar.
    """
    ours, true = (
        power / (power.sum(1, keepdim=True) + _SILENCE) for power in map(_mean, (made, wanted))
    )
    apart = (ours - true).abs() - _SHARE * torch.maximum(ours, true)
    return 0.5 * F.relu(apart).sum(1).mean()


def _mean(log_mel: Tensor) -> Tensor:
    """Return the mean power of each band over time, ``[B, 80, T] -> [B, 67]``."""
    return torch.exp(SCALE * log_mel[:, :BANDS].float() + MEAN).mean(2)


def depth(log_power: Tensor) -> Tensor:
    """Return how far each band lies below the nearest hills on both sides, at most 13 dB.

    Shape: ``[B, K]`` natural logarithms of power -> ``[B, K]``, 0 and more.
    """
    width = 2 * _REACH_BANDS + 1
    hills = F.max_pool1d(log_power[:, None], width, 1, _REACH_BANDS)
    closed = -F.max_pool1d(-hills, width, 1, _REACH_BANDS)[:, 0]
    return (closed - log_power).clamp(0.0, _DEEPEST)


def _missing(ours: Tensor, true: Tensor) -> Tensor:
    """Return how much deeper the true valleys are beyond the tolerance, ``[B, K]`` each."""
    smooth = [torch.log(F.avg_pool1d(p[:, None], 3, 1, 1)[:, 0] + 1e-5) for p in (ours, true)]
    return F.relu(depth(smooth[1]) - depth(smooth[0]) - _TOLERANCE)


def valley_loss(made: Tensor, real: Tensor, band_hz: Tensor) -> Tensor:
    """Charge valleys of the spectrum that are shallower than the true ones; deeper ones are free.

    Only loud stretches of 50 ms count. Natural logarithm of power (0.23 is one dB), 0 to 2.65.

    Args:
        made, real: log-mel spectra of ``Mel24k``, ``[B, 80, T]``.
        band_hz: ``[B]`` up to where to compare.
    """
    ours, true = _power(made), _power(real)
    batch, bands, frames = true.shape
    level = torch.log(true.sum(1) + 1e-9)
    loud = (level > level.amax(1, keepdim=True) - _LOUD).float()
    weight = bands_inside(band_hz) * loud[:, None]
    rows = [p.transpose(1, 2).reshape(batch * frames, bands) for p in (ours, true)]
    cost = _missing(*rows).view(batch, frames, bands).transpose(1, 2)
    return (cost * weight).sum() / weight.sum().clamp_min(1.0)


def long_valley_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Charge a long-term spectrum whose valleys are shallower than the wanted voice's.

    Shape: ``[B, 80, T]`` each -> scalar, natural logarithm of power, 0 to 2.65.
    """
    return _missing(_mean(made), _mean(wanted)).mean()
