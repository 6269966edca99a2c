"""What is done to one block of a long song: hear it, place the vocal, limit it.

Blocks come with as much of their neighbours as the filters hear, so that they join without a seam.
Shapes: ``B`` blocks of songs alike, ``C`` channels, ``K`` steps of 100 ms in a block, ``S`` samples
in them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.mix.limiter import BLOCK_SAMPLES, LOOK_AHEAD_S, MARGIN_DB, RELEASE_DB_PER_S
from autovoice.mix.loudness import step_samples
from autovoice.mix.resident.limiter import filters_on, window_on
from autovoice.mix.resident.placing import weighted_powers, with_air
from autovoice.mix.true_peak import REACH, wave_peaks
from autovoice.nn.polyphase import Span, resampled_span

# Steps before a block and after it: the weighting looks back 0.2 s, the air 0.03 s both ways.
BEFORE_STEPS, AFTER_STEPS = 3, 1
# Samples around a block that its limited neighbours' peaks are read from: whole limiter blocks.
AROUND_SAMPLES = 2 * BLOCK_SAMPLES


def heard(
    converted: Tensor, vocals: Tensor, ends: Tensor, *, converted_hz: int, rate_hz: int, span: Span
) -> tuple[Tensor, Tensor]:
    """Return the converted vocal with its air, and the powers of the vocal and of it.

    Args:
        converted: ``[B, n]``, the samples of ``span``.
        vocals: ``[B, C, 3 + K + 1 steps]``, the block and what is around it.
        ends: ``[B, 2]``, where in that the song begins and ends.
        converted_hz, rate_hz: of the two.
        span: what the converted vocal is resampled from.

    Returns:
        ``[B, S]``, and ``[B, C + 1, K]`` in float64.
    """
    step = step_samples(rate_hz)
    inside = _between(ends, vocals.shape[2])
    finite = torch.nan_to_num(converted, 0.0, 0.0, 0.0)
    mono = resampled_span(finite, converted_hz, rate_hz, span) * inside
    mono = with_air(mono, vocals.mean(1), rate_hz) * inside
    powers = weighted_powers(torch.cat([vocals, mono[:, None]], 1), inside, rate_hz)
    part = slice(BEFORE_STEPS * step, -AFTER_STEPS * step)
    return mono[:, part], powers[..., BEFORE_STEPS:-AFTER_STEPS]


def placed(
    mono: Tensor, backing: Tensor, gains: Tensor, ends: Tensor, *, rate_hz: int
) -> tuple[Tensor, Tensor]:
    """Return the mix and the vocal alone before the limiter, and their peaks.

    Args:
        mono: ``[B, 1 + K + 1 steps]``, the vocal that ``heard`` returns.
        backing: ``[B, C, 1 + K + 1 steps]``.
        gains: ``[B, C, 2 + K + 2]``, of the vocal, one per step.
        ends: ``[B, 2]``, where in the block the song begins and ends.
        rate_hz: of all.

    Returns:
        ``[B, 2, C, S]``, and the peaks of every 16 samples, ``[B, 2, S / 16]``.
    """
    step = step_samples(rate_hz)
    lines = F.interpolate(gains, scale_factor=step, mode="linear", align_corners=False)
    vocal = mono[:, None] * lines[..., step:-step]
    sound = torch.stack([vocal + backing, vocal], 1)
    near = sound[..., step - REACH : sound.shape[3] - step + REACH]
    return sound[..., step:-step], _peaks(near, ends)


def limited(
    sound: Tensor, peaks: Tensor, held: Tensor, ends: Tensor, blocks: Tensor,
    *, rate_hz: int, target_dbtp: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return a block after a pass of the limiter, its peaks then, and what goes on to the next.

    Args:
        sound: ``[B, C, 32 + S + 32]``.
        peaks: ``[B, m + S / 16 + m]``, of every 16 samples, m being ``margin_blocks``.
        held: ``[B, 1]``, the reduction before the first of them, dB.
        ends: ``[B, 2]``, where in the block the song begins and ends.
        blocks: ``[B, 2]``, the first and the last of ``peaks`` that are of the song.
        rate_hz, target_dbtp: the rate, and what is aimed at.

    Returns:
        ``[B, C, S]``; ``[B, S / 16]``; ``[B, 1]``, held before the peaks of the next block.
    """
    margin, count = margin_blocks(rate_hz), peaks.shape[1] - 2 * margin_blocks(rate_hz)
    slope_db = RELEASE_DB_PER_S * BLOCK_SAMPLES / rate_hz
    needed = 20 * torch.log10(peaks.double().clamp_min(10 ** (target_dbtp / 20))) - target_dbtp
    fallen = slope_db * torch.arange(peaks.shape[1], device=peaks.device)
    release = torch.maximum((needed + fallen).cummax(1).values, held - slope_db) - fallen
    reach = _reach_blocks(rate_hz)
    highest = F.max_pool1d(release, 2 * reach + 3, 1, padding=reach + 1)
    # From three blocks before to three after: the sound's surroundings, and a line's other end.
    places = torch.arange(margin - 3 - reach, margin + count + 3 + reach, device=peaks.device)
    around = highest.gather(1, places.clamp_min(0).maximum(blocks[:, :1]).minimum(blocks[:, 1:]))
    window = window_on(reach, peaks.device)
    smooth = around.unfold(1, len(window), 1) @ window
    here = places[reach:-reach].maximum(blocks[:, :1]).minimum(blocks[:, 1:])
    smooth = smooth.gather(1, here - (margin - 3))
    gains_db = (smooth * (-math.log(10) / 20)).float()[:, None]
    lines = F.interpolate(gains_db, scale_factor=BLOCK_SAMPLES, mode="linear", align_corners=False)
    made = sound * lines[..., BLOCK_SAMPLES : BLOCK_SAMPLES + sound.shape[2]].exp()
    near = made[:, None, :, AROUND_SAMPLES - REACH : REACH - AROUND_SAMPLES]
    part = slice(AROUND_SAMPLES, -AROUND_SAMPLES)
    return made[..., part], _peaks(near, ends)[:, 0], release[:, count - 1 : count]


def margin_blocks(rate_hz: int) -> int:
    """Return how many blocks of 16 samples the limiter reads on each side of what it limits."""
    return 2 * _reach_blocks(rate_hz) + 4


def _reach_blocks(rate_hz: int) -> int:
    return max(round(LOOK_AHEAD_S * rate_hz / BLOCK_SAMPLES), 1)


def target_of(ceiling_dbtp: float) -> float:
    """Return what the limiter aims at for a ceiling, dB."""
    return ceiling_dbtp - MARGIN_DB


def _peaks(near: Tensor, ends: Tensor) -> Tensor:
    """Return peaks over the channels, ``[B, R, C, 24 + S + 24] -> [B, R, S / 16]``."""
    shape = (*near.shape[:3], near.shape[3] - 2 * REACH)
    peaks = wave_peaks(near.flatten(0, 2), filters_on(near.device)).view(shape).amax(2)
    counted = peaks * _between(ends, shape[3])[:, None]
    return counted.view(*shape[:2], -1, BLOCK_SAMPLES).amax(3)


def _between(ends: Tensor, length: int) -> Tensor:
    """Return 1 from the first to before the second of ``[B, 2]``, ``[B, length]``."""
    places = torch.arange(length, device=ends.device)
    return ((places >= ends[:, :1]) & (places < ends[:, 1:])).float()
