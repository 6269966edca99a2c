"""The long-term spectrum of a voice: paint one on a clip at random, and compare two.

Why: a voice whose copy sounds 12 dB too thin around 600 Hz is another voice to a listener, while
a speaker network that was taught to overhear microphones forgives it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.mel24k import SCALE

SAMPLE_RATE_HZ = 24_000
_KNOTS = 9
_LOWEST_HZ = 60.0
_BANDS = 67  # below 7.6 kHz, which every recording of the corpus has
# In natural logarithms of power: 25 dB and 1.5 dB.
_LOUD = 5.8  # how far under the loudest frame a frame may lie
_TOLERANCE = 0.35  # what another sentence changes by itself


def random_colour(
    batch: int, generator: torch.Generator, *, most_db: float = 6.0, device: torch.device | str
) -> Tensor:
    """Draw a smooth equaliser for each item, ``[B, knots]`` in dB at even steps of log frequency.

    Half of the items stay as they are.
    """
    knots = (2 * torch.rand(batch, _KNOTS, generator=generator, device=device) - 1) * most_db
    kept = torch.rand(batch, 1, generator=generator, device=device) < 1 / 2
    return knots.masked_fill(kept, 0.0)


def paint(audio: Tensor, colour_db: Tensor) -> Tensor:
    """Filter each item by its equaliser with no delay, and keep its level.

    Shape: ``audio: [B, T]``, ``colour_db: [B, knots]`` -> ``[B, T]``.
    """
    length = audio.shape[1]
    spectrum = torch.fft.rfft(audio.float(), n=length + 4_800, dim=1)
    hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, spectrum.shape[1], device=audio.device)
    top = math.log2(SAMPLE_RATE_HZ / 2 / _LOWEST_HZ)
    place = (torch.log2(hz.clamp_min(_LOWEST_HZ) / _LOWEST_HZ) / top) * (_KNOTS - 1)
    left = place.floor().long().clamp(max=_KNOTS - 2)
    part = place - left
    # Between knots half a cosine: no corners, so that the filter does not ring.
    part = 0.5 - 0.5 * torch.cos(torch.pi * part)
    curve_db = colour_db[:, left] * (1 - part) + colour_db[:, left + 1] * part
    made = torch.fft.irfft(spectrum * 10 ** (curve_db / 20), n=length + 4_800, dim=1)[:, :length]
    before = audio.float().square().mean(1, keepdim=True)
    after = made.square().mean(1, keepdim=True)
    painted: Tensor = made * (before / after.clamp_min(1e-9)).sqrt().clamp(max=4.0)
    return painted


def long_term(log_mel: Tensor) -> Tensor:
    """Average the loud frames, log power, the mean taken out: ``[B, 80, T]`` -> ``[B, 67]``."""
    bands = SCALE * log_mel[:, :_BANDS].float()
    level = bands.logsumexp(dim=1)
    loud = (level > level.amax(dim=1, keepdim=True) - _LOUD).float().detach()
    # The mean of powers, not of their logarithms: strong frames decide, as in a meter.
    mean = torch.logsumexp(bands + torch.log(loud + 1e-9)[:, None], dim=2)
    mean = mean - torch.log(loud.sum(1, keepdim=True).clamp_min(1.0))
    # A recording's noise floor, 50 dB down, is no part of a voice.
    mean = torch.maximum(mean, mean.amax(dim=1, keepdim=True) - 11.5)
    smooth = F.avg_pool1d(F.pad(mean[:, None], (2, 2), mode="replicate"), 5, stride=1)[:, 0]
    return smooth - smooth.mean(dim=1, keepdim=True)


def colour_gap(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean distance of two long-term spectra beyond what another sentence explains.

    Shape: ``[B, 67]`` each -> scalar, log power (0.23 is one dB).
    """
    return F.relu((made - wanted).abs() - _TOLERANCE).mean()
