"""Drop every other harmonic of notes that were decoded lower, for a batch; see ``high_notes``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

F0_RATE_HZ = 80
# Both blends between what is raised and what is not, and half the span of a level.
_FADE_S, _LEVEL_S = 0.012, 0.04
_MOST_GAIN = 4.0


def raised_rows(
    sound: Tensor, log_hz: Tensor, lowered: Tensor, *, turns: int, sample_rate_hz: int
) -> Tensor:
    """Bring what was decoded lower to where it belongs; the rest stays to the bit.

    Args:
        sound: ``[B, T]``, at least 4 samples.
        log_hz: ``[B, F]``, natural logarithm of the melody in Hz as it shall be, with a value in
            every frame; frame ``k`` is at ``(k + 0.5) / 80`` s.
        lowered: ``[B, F]``, by how many octaves each frame was decoded lower, 0 where unvoiced.
        turns: the most of these.
        sample_rate_hz: of the sound.

    Shape: ``[B, T]`` float32, in no place later or louder than it was.
    """
    frames, length = log_hz.shape[-1], sound.shape[-1]
    at = torch.arange(length, device=sound.device)
    place = at.double() * (F0_RATE_HZ / sample_rate_hz) - 0.5
    nearest = place.round().long().clamp(0, frames - 1)
    left = place.floor().long().clamp(0, max(frames - 2, 0))
    right = (left + 1).clamp_max(frames - 1)
    log_at = torch.lerp(log_hz[:, left], log_hz[:, right], (place - left).clamp(0, 1).float())
    half_period = (0.5 * sample_rate_hz) * torch.exp(-log_at)
    down = lowered[:, nearest]
    half_fade = round(_FADE_S * sample_rate_hz) // 4
    made = sound.float()
    for turn in range(turns, 0, -1):
        share = _smooth((down >= turn).long(), half_fade)
        offset = half_period * 2.0 ** (turn - 1)
        even = 0.5 * (_read(made, -offset) + _read(made, offset))
        gain = _level(made, sample_rate_hz) / _level(even, sample_rate_hz).clamp_min(1e-6)
        made = made + share * (even * gain.clamp(1.0, _MOST_GAIN) - made)
    return made


def _read(sound: Tensor, offset: Tensor) -> Tensor:
    """Read ``[B, T]`` between samples, ``offset`` from each, by Catmull-Rom."""
    last = sound.shape[-1] - 3
    whole = offset.floor()
    left = torch.arange(sound.shape[-1], device=sound.device) + whole.long()
    part = torch.where((left < 1) | (left >= last), 0.0, offset - whole)
    left = left.clamp(1, last)
    before, here, there, after = (sound.gather(-1, left + k) for k in (-1, 0, 1, 2))
    bend = 2 * before - 5 * here + 4 * there - after + part * (3 * (here - there) + after - before)
    return here + 0.5 * part * (there - before + part * bend)


def _level(sound: Tensor, sample_rate_hz: int) -> Tensor:
    """Return the level around each sample, ``[B, T]``."""
    # Of a difference of two long sums, float32 would leave nothing after a few seconds.
    half, length = round(_LEVEL_S * sample_rate_hz / 2), sound.shape[-1]
    power = _summed(sound.double().square(), half)
    at = torch.arange(length, device=sound.device)
    count = (at + half + 1).clamp_max(length) - (at - half).clamp_min(0)
    return (power.clamp_min(0.0) / count).sqrt().float()


def _smooth(switch: Tensor, half: int) -> Tensor:
    """Blend ``[B, T]`` of zeros and ones over ``4 half`` samples; exact where nothing changes."""
    edge = 2 * half
    padded = F.pad(switch, (edge, edge))
    for _ in range(2):
        padded = _summed(padded, half)
    return (padded[..., edge:-edge] / (2 * half + 1) ** 2).float()


def _summed(values: Tensor, half: int) -> Tensor:
    """Return the sum over ``half`` samples to both sides of each, ``[B, T]``."""
    total = values.cumsum(-1)
    whole = total[..., -1:].expand(*total.shape[:-1], half)
    total = torch.cat([F.pad(total, (half + 1, 0)), whole], dim=-1)
    return total[..., 2 * half + 1 :] - total[..., : -2 * half - 1]
