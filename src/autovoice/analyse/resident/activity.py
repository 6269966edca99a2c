"""Where somebody is heard, for a batch at 16 kHz; see ``analyse.activity``."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from scipy import fft, signal
from torch import Tensor
from torch.nn import functional as F

from autovoice.analyse import activity as plain
from autovoice.analyse.pitch.finish import HOP_SAMPLES
from autovoice.kernels.pitch.runs import ends, highest, opened, percentile, widened

SAMPLE_RATE_HZ = 16_000
_FRAME_SAMPLES = SAMPLE_RATE_HZ // plain.FRAMES_PER_S
# After so long less than -140 dB is left of what the filter answers to a click.
_RESPONSE_S = 0.1


def activity(level_db: Tensor, f0_hz: Tensor) -> Tensor:
    """Estimate where somebody is heard.

    Args:
        level_db: ``[B, N]``, of ``level``.
        f0_hz: ``[B, F]``, the pitch every 8 ms, 0 where unvoiced.

    Shape: ``[B, N]`` in [0, 1].
    """
    voiced = _voiced(f0_hz, level_db.shape[1])
    audible = level_db > _threshold_db(level_db, voiced)
    anchors = _anchors(level_db, voiced & audible)
    near = widened(anchors, round(plain.REACH_S * plain.FRAMES_PER_S))
    steady = opened(audible, plain.SHORTEST_FRAMES)
    heard = F.pad(anchors | (near & steady), (2, 2))
    closed = F.max_pool1d(-widened(heard, 1).float(), 3, 1)[:, 1:-1] < 0
    return _smooth(closed)


def level(samples: Tensor) -> Tensor:
    """Measure the level of 80 frames/s over two hops, without rumble under 60 Hz, dBFS.

    Shape: ``[B, T]`` at 16 kHz, T a multiple of 200 -> ``[B, T / 200]``.
    """
    response = _rumble(samples.device)
    size = fft.next_fast_len(samples.shape[1] + len(response) - 1, real=True)
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(response, size)
    clear = torch.fft.irfft(spectrum, size)[:, : samples.shape[1]]
    half = _FRAME_SAMPLES // 2
    # Half a hop before a frame to half a hop after it; at the ends over what is there.
    halves = F.pad(clear.reshape(len(clear), -1, half).square().sum(2), (1, 1))
    power = halves.unfold(1, 4, 2).sum(2)
    count = torch.full_like(power[0], 4 * half)
    count[0] -= half
    count[-1] -= half
    return 10 * torch.log10((power / count).clamp_min(1e-12))


@cache
def _rumble(device: torch.device) -> Tensor:
    """Keep what the high-pass answers to a click on a device: graphs read it there."""
    click = np.zeros(round(_RESPONSE_S * SAMPLE_RATE_HZ))
    click[0] = 1.0
    answer = signal.sosfilt(plain.rumble(SAMPLE_RATE_HZ), click).astype(np.float32)
    return torch.from_numpy(answer).to(device)


def _voiced(f0_hz: Tensor, frames: int) -> Tensor:
    time_s = (torch.arange(frames, device=f0_hz.device).double() + 0.5) / plain.FRAMES_PER_S
    nearest = (time_s / (HOP_SAMPLES / SAMPLE_RATE_HZ)).round().long()
    inside = nearest < f0_hz.shape[1]
    voiced = (f0_hz[:, nearest.clamp_max(f0_hz.shape[1] - 1)] > 0) & inside
    return opened(voiced, round(plain.SHORTEST_VOICED_S * plain.FRAMES_PER_S))


def _threshold_db(level_db: Tensor, voiced: Tensor) -> Tensor:
    """Return the level over which sound counts, ``[B, 1]``."""
    sung = voiced | ~voiced.any(1, keepdim=True)
    loud = percentile(level_db, sung, 90)
    quiet = ~voiced & (level_db > -119.0)
    enough = quiet.sum(1, keepdim=True) >= plain.FRAMES_PER_S // 4
    noise = torch.where(enough, percentile(level_db, quiet, 10), -120.0)
    above_noise = (noise + plain.ABOVE_NOISE_DB).minimum(loud - 12.0)
    return above_noise.maximum(loud - plain.RANGE_DB).clamp_min(plain.GATE_DBFS)


def _anchors(level_db: Tensor, voiced: Tensor) -> Tensor:
    """Keep the voiced stretches that are about as loud as the singing is."""
    loud = percentile(level_db, voiced, 90)
    peaks = highest(level_db, ends(voiced)[0], voiced)
    return voiced & (peaks > loud - plain.BLEED_DB)


def _smooth(heard: Tensor) -> Tensor:
    """Open over the attack before each onset, close over the release after each end."""
    frames = heard.shape[1]
    place = torch.arange(frames, device=heard.device)
    far = 2 * frames + 100
    before = torch.where(heard, place, -far).cummax(1).values
    behind = torch.where(heard, place, far).flip(1).cummin(1).values.flip(1)
    falling = 1.0 - (place - before) / (plain.RELEASE_S * plain.FRAMES_PER_S + 1)
    rising = 1.0 - (behind - place) / (plain.ATTACK_S * plain.FRAMES_PER_S + 1)
    linear = falling.maximum(rising).clamp(0.0, 1.0)
    return 0.5 - 0.5 * (math.pi * linear).cos()
