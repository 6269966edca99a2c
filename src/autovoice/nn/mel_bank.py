"""Triangular mel filters on Slaney's scale, each of unit area."""

from __future__ import annotations

import math

import torch

_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _LINEAR_HZ_PER_MEL
# 27 steps above the knee multiply the frequency by 6.4.
_LOG_STEP = math.log(6.4) / 27.0


def slaney_bank(
    *,
    bands: int,
    n_fft: int,
    sample_rate_hz: int,
    low_hz: float = 0.0,
    high_hz: float | None = None,
) -> torch.Tensor:
    """Build a mel filter bank for a power or magnitude spectrum.

    The scale is linear up to 1 kHz (66.7 Hz per mel) and logarithmic above; each triangle is
    scaled by 2 over its width in Hz.

    Args:
        bands: number of filters.
        n_fft: size of the Fourier transform, samples.
        sample_rate_hz: rate of the signal.
        low_hz, high_hz: lower edge of the first and upper edge of the last filter; by default
            0 and half the rate.

    Returns:
        ``[bands, n_fft // 2 + 1]`` float32.

    Source: Malcolm Slaney, Auditory Toolbox, 1998.
    """
    top_hz = sample_rate_hz / 2 if high_hz is None else high_hz
    ends = _hz_to_mel(torch.tensor([low_hz, top_hz], dtype=torch.float64))
    steps = torch.linspace(0.0, 1.0, bands + 2, dtype=torch.float64)
    edges = _mel_to_hz(ends[0] + (ends[1] - ends[0]) * steps)
    bins = torch.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    triangles = torch.minimum(rising, falling).clamp_min(0.0)
    return (triangles * (2.0 / (right - left))).float()


def _hz_to_mel(hz: torch.Tensor) -> torch.Tensor:
    above = _KNEE_MEL + torch.log(hz.clamp_min(_KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return torch.where(hz < _KNEE_HZ, hz / _LINEAR_HZ_PER_MEL, above)


def _mel_to_hz(mel: torch.Tensor) -> torch.Tensor:
    above = _KNEE_HZ * torch.exp((mel - _KNEE_MEL) * _LOG_STEP)
    return torch.where(mel < _KNEE_MEL, mel * _LINEAR_HZ_PER_MEL, above)
