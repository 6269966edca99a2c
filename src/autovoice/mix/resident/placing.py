"""Place the converted vocal: the air above the model's band, loudness, dynamics, place."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from scipy import fft
from torch import Tensor
from torch.nn import functional as F

from autovoice.mix import air, loudness
from autovoice.mix.resident.levels import block_means, following_gain, gated, matching_gain
from autovoice.mix.resident.levels import pan_gains as panned


class Manner(NamedTuple):
    """How vocals are placed: the rate of all, and of ``MixOptions`` what concerns the vocal."""

    rate_hz: int
    follow_dynamics: float
    vocal_gain_db: float


def placed(converted: Tensor, vocals: Tensor, inside: Tensor, manner: Manner) -> Tensor:
    """Return converted vocals with the loudness, dynamics and place of the source vocals.

    Args:
        converted: ``[B, T]`` at the rate of the songs, silent beyond their ends.
        vocals: ``[B, C, T]``, T whole steps of 100 ms.
        inside: ``[B, T]``, 1 where a sample belongs to its song.
        manner: see there.

    Shape: ``[B, C, T]``.
    """
    step = loudness.step_samples(manner.rate_hz)
    mono = with_air(converted, vocals.mean(1), manner.rate_hz)
    powers = weighted_powers(torch.cat([vocals, mono[:, None]], 1), inside, manner.rate_hz)
    old, new = powers[:, :-1], powers[:, -1]
    whole = old.sum(1)
    blocks = block_means(whole)
    kept = gated(blocks)
    follow = following_gain(whole, new, kept, manner.follow_dynamics)
    level = matching_gain(blocks, kept, new * follow.square())
    level = level * 10 ** (manner.vocal_gain_db / 20)
    gains = (panned(old) * (follow * level)[:, None]).float()
    lines = F.interpolate(gains, scale_factor=step, mode="linear", align_corners=False)
    return mono[:, None] * lines


def with_air(converted: Tensor, source: Tensor, rate_hz: int) -> Tensor:
    """Return the converted vocals with the source's band above 11.2 kHz; see ``mix.air``.

    Shape: ``[B, T]``.
    """
    if rate_hz < air.LEAST_RATE_HZ:
        return converted
    step, length = round(air.STEP_S * rate_hz), converted.shape[1]
    # The gain in the first and last steps hears what the filters ring on into.
    around = 2 * step
    pair = F.pad(torch.stack([converted, source], 1), (around, around + -length % step))
    size = fft.next_fast_len(pair.shape[2] + air.TAPS - 1, real=True)
    filters = torch.fft.rfft(_filters(rate_hz, converted.device), size)
    heard = torch.fft.irfft(torch.fft.rfft(pair, size)[:, None] * filters, size)
    heard = heard[..., air.TAPS // 2 : air.TAPS // 2 + pair.shape[2]]
    powers = heard[:, 1].reshape(len(heard), 2, -1, step).square().mean(3)
    wide = F.avg_pool1d(F.pad(powers, (1, 1), mode="replicate"), 3, stride=1)
    gains = (wide[:, 0] / wide[:, 1].clamp_min(air.FLOOR)).sqrt().clamp_max(air.MOST_UP)
    lines = F.interpolate(gains[:, None], scale_factor=step, mode="linear", align_corners=False)
    part = slice(around, around + length)
    lows = heard[:, 0, :, part]
    joined: Tensor = lows[:, 0] + lines[:, 0, part] * (source - lows[:, 1])
    return joined


@cache
def _filters(rate_hz: int, device: torch.device) -> Tensor:
    """Keep the low-pass and the band on a device, ``[2, 1, taps]``: graphs read them there."""
    return torch.from_numpy(air.filters(rate_hz)).float()[:, None].to(device)


def weighted_powers(sound: Tensor, inside: Tensor, rate_hz: int) -> Tensor:
    """Return the K-weighted mean power of every 100 ms of each channel, by transforms.

    Args:
        sound: ``[B, C, T]``, T whole steps.
        inside: ``[B, T]``, 1 where a sample counts.
        rate_hz: at least 8 kHz.

    Shape: ``[B, C, T / step]``, float64; see ``loudness.weighted_powers``.
    """
    length = sound.shape[2]
    response = _response(rate_hz, sound.device)
    size = fft.next_fast_len(length + len(response) - 1, real=True)
    spectrum = torch.fft.rfft(sound, size) * torch.fft.rfft(response, size)
    heard = torch.fft.irfft(spectrum, size)[..., :length] * inside[:, None]
    steps = heard.view(*sound.shape[:2], -1, loudness.step_samples(rate_hz))
    powers: Tensor = steps.square().mean(3).double()
    return powers


@cache
def _response(rate_hz: int, device: torch.device) -> Tensor:
    return loudness.response(rate_hz).to(device)
