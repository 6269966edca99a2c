"""The true-peak limiter over batches: the same gain as ``mix.limiter``, without a question asked.

Times are counted in blocks of 16 samples. Sounds are filled up with silence; ``lengths`` says
where each ends.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.mix.limiter import (
    BLOCK_SAMPLES,
    LOOK_AHEAD_S,
    MARGIN_DB,
    MOST_LINEAR,
    RELEASE_DB_PER_S,
)
from autovoice.mix.true_peak import REACH, between_filters, wave_peaks


def bounded(sound: Tensor) -> Tensor:
    """Scale down what is over +60 dB, so that no arithmetic overflows; ``[B, C, T]``."""
    loudest = sound.abs().amax((1, 2), keepdim=True)
    return sound * (MOST_LINEAR / loudest.clamp_min(MOST_LINEAR))


def block_peaks(sound: Tensor, inside: Tensor) -> Tensor:
    """Return the true peak of every block over all channels, as ``true_peak.block_peaks``.

    Args:
        sound: ``[B, C, T]``.
        inside: ``[B, T]``, 1 where a sample belongs to the sound.

    Shape: ``[B, ceil(T / 16)]``.
    """
    filters = filters_on(sound.device)
    peaks = wave_peaks(F.pad(sound.flatten(0, 1), (REACH, REACH)), filters)
    highest = peaks.view(sound.shape).amax(1) * inside
    whole = F.pad(highest, (0, -sound.shape[2] % BLOCK_SAMPLES))
    return whole.view(len(whole), -1, BLOCK_SAMPLES).amax(2)


@cache
def filters_on(device: torch.device) -> Tensor:
    """Keep what finds the wave between samples on a device: graphs read it where it lies."""
    return between_filters().to(device)


def reduced(
    sound: Tensor, peaks: Tensor, lengths: Tensor, sample_rate_hz: int, ceiling_dbtp: float
) -> Tensor:
    """Return the sound under the gain that its peaks ask for; what asks for none as it is.

    Args:
        sound: ``[B, C, T]``.
        peaks: ``[B, N]``, its block peaks.
        lengths: ``[B]`` int64 samples.
        sample_rate_hz, ceiling_dbtp: as for ``mix.limiter.limit``.
    """
    reduction_db = envelope(peaks, lengths, sample_rate_hz, ceiling_dbtp - MARGIN_DB)
    lines = (reduction_db * (-math.log(10) / 20)).float()[:, None]
    gains = F.interpolate(lines, scale_factor=BLOCK_SAMPLES, mode="linear", align_corners=False)
    over = peaks.amax(1) > 10 ** (ceiling_dbtp / 20)
    return torch.where(over[:, None, None], sound * gains[..., : sound.shape[2]].exp(), sound)


def envelope(peaks: Tensor, lengths: Tensor, sample_rate_hz: int, target_dbtp: float) -> Tensor:
    """Return the reduction in dB at the centre of each block; flat beyond the end of a sound.

    Shape: ``[B, N]`` float32 -> ``[B, N]`` float64.
    """
    quiet = 10 ** (target_dbtp / 20)
    needed = 20 * torch.log10(peaks.double().clamp_min(quiet)) - target_dbtp
    reach = max(round(LOOK_AHEAD_S * sample_rate_hz / BLOCK_SAMPLES), 1)
    window = window_on(reach, peaks.device)
    places = torch.arange(-reach, peaks.shape[1] + reach, device=peaks.device)
    here = places[reach:-reach]
    slope = (RELEASE_DB_PER_S * BLOCK_SAMPLES / sample_rate_hz) * here.double()
    held = (needed + slope).cummax(1).values - slope
    # Two blocks more than half the window on each side; what lies beyond the ends is no peak.
    highest = F.max_pool1d(held, 2 * reach + 3, 1, padding=reach + 1)
    last = (lengths - 1).div(BLOCK_SAMPLES, rounding_mode="floor")[:, None]
    around = highest.gather(1, places.clamp_min(0).minimum(last))
    smooth = around.unfold(1, len(window), 1) @ window
    return smooth.gather(1, here.minimum(last))


@cache
def window_on(reach: int, device: torch.device) -> Tensor:
    """Keep the smoothing window on a device: graphs read it where it lies."""
    window = np.hanning(2 * reach + 3)[1:-1]
    return torch.from_numpy(window / window.sum()).to(device)
