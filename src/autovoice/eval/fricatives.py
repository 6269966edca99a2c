"""Whether sibilants and breaths were kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from autovoice.eval.aligned import aligned_mono, common_rate_hz
from autovoice.eval.figure import NotApplicable
from autovoice.eval.frames import levels_db, loud_db
from autovoice.eval.world import HOP_S
from autovoice.types import Audio, FloatArray

Frames = NDArray[np.float64]
Places = NDArray[np.int64]

LEAST_FRAMES = 20
SIBILANT_BAND_HZ = (4000.0, 10_000.0)
# Half of the energy of [s] and a third of that of [sh] lie above 4 kHz; of breath and [f] less.
SIBILANT_SHARE = 0.3
_ACTIVE_RANGE_DB = 30.0
_MOST_RATE_HZ = 24_000
_LEAST_RATE_HZ = 16_000
_LEAST_BREATH_RATE_HZ = 8000
_WHOLE_FROM_HZ = 100.0
_WINDOW_S = 0.02
_BLOCK_FRAMES = 2000
# Breath lies this far under the voice; quieter is room noise, louder are consonants.
BREATH_UNDER_DB = (20.0, 50.0)
_ABOVE_NOISE_DB = 6.0
# Ends of notes ring on without a pitch.
_EDGE_FRAMES = 2
# What was muted counts as this far under the voice.
_LOWEST_DB = -60.0
_NOTHING_DB = -100.0


def sibilance_db(output: Audio, source: Audio, source_f0_hz: Frames) -> float:
    """Return how much of the sibilance was kept: its level under the voice, output less source.

    Judged are the source's sibilants: frames of 10 ms without pitch, within 30 dB of its loud
    level, with at least 0.3 of their energy over 4 kHz. Their mean power from 4 to 10 kHz is
    divided by that of the voiced frames from 100 Hz up, in output and in source. (Divided by the
    whole of the same frames it would hardly move: nearly all of a sibilant lies in that band, so
    that a low-pass at 4 kHz reads -1.5 dB and a muted one has no ratio at all.)

    Both are brought to 24 kHz or to the lower rate of the two, so at 16 kHz the band ends at
    8 kHz, in both.

    Args:
        output, source: any rates from 16 kHz up; at most 0.5 s apart in length.
        source_f0_hz: ``[F]``, every 10 ms as from ``harvest``, 0 where unvoiced.

    Returns:
        dB, limited downwards to a level 60 dB under the voice; 0 when kept, negative when dull or
        muted, positive when sharp.

    Raises:
        NotApplicable: one is silent, lengths differ, a rate is too low, or there are fewer than
            20 such frames, or fewer than 20 voiced ones.

    Source: AutoVoice.
    """
    rate_hz = common_rate_hz(output, source, least_hz=_LEAST_RATE_HZ, most_hz=_MOST_RATE_HZ)
    ours, theirs = aligned_mono(output, source, rate_hz)
    level = levels_db(Audio(theirs[None], rate_hz))
    voiced = np.flatnonzero(source_f0_hz[: len(level)] > 0)
    sibilant = sibilant_frames(theirs, rate_hz, level, source_f0_hz)
    _enough(len(sibilant), "sibilant frames (unvoiced, loud, bright) in the source")
    _enough(len(voiced), "voiced frames in the source")
    kept, wanted = (_under_voice_db(part, rate_hz, sibilant, voiced) for part in (ours, theirs))
    return kept - wanted


def breath_db(output: Audio, source: Audio, source_f0_hz: Frames) -> float:
    """Return how much of the breath was kept: its level under the voice, output less source.

    Judged are frames of 10 ms in which the source has no pitch, nor within 20 ms, is 20 to 50 dB
    under its voiced frames, and at least 6 dB over the quietest tenth of what is unvoiced (its
    noise). Their mean level in dB, less the level of the voiced frames, is compared. Muted frames
    count as 60 dB under the voice. Noise in the output reads as breath.

    Both are brought to 24 kHz or to the lower rate of the two.

    Args:
        output, source: any rates from 8 kHz up; at most 0.5 s apart in length.
        source_f0_hz: ``[F]``, every 10 ms as from ``harvest``, 0 where unvoiced.

    Returns:
        dB; 0 when kept, negative when muted, positive when too loud.

    Raises:
        NotApplicable: one is silent, lengths differ, a rate is too low, or there are fewer than
            20 such frames, or fewer than 20 voiced ones.

    Source: AutoVoice.
    """
    rate_hz = common_rate_hz(output, source, least_hz=_LEAST_BREATH_RATE_HZ, most_hz=_MOST_RATE_HZ)
    ours, theirs = (
        levels_db(Audio(part[None], rate_hz)) for part in aligned_mono(output, source, rate_hz)
    )
    theirs, f0_hz = _paired(theirs, source_f0_hz)
    ours, voiced = ours[: len(theirs)], f0_hz > 0
    _enough(int(voiced.sum()), "voiced frames in the source")
    under = theirs - _mean_power_db(theirs[voiced])
    if _mean_power_db(ours[voiced]) <= _NOTHING_DB:
        raise NotApplicable("the output is silent where the source sings; a voice is needed there")
    breath = breath_frames(theirs, f0_hz)
    _enough(int(breath.sum()), "breathy frames (unvoiced, 20 to 50 dB under the voice)")
    kept = np.maximum(ours[breath] - _mean_power_db(ours[voiced]), _LOWEST_DB)
    return float(np.mean(kept) - np.mean(under[breath]))


def sibilant_frames(samples: FloatArray, rate_hz: int, levels: Frames, f0_hz: Frames) -> Places:
    """Find sibilants: without pitch, within 30 dB of the loud level, bright.

    Args:
        samples: ``[T]``, at 16 to 24 kHz.
        rate_hz: their rate.
        levels: ``[F]``, of the same sound, as from ``frames.levels_db``.
        f0_hz: ``[F]``, every 10 ms, 0 where unvoiced.

    Returns:
        Numbers of frames, 10 ms each.
    """
    active, f0_hz = _paired(levels >= loud_db(levels) - _ACTIVE_RANGE_DB, f0_hz)
    hissing = np.flatnonzero(active & (f0_hz <= 0))
    band, whole = _powers(samples, rate_hz, hissing)
    return hissing[(band >= SIBILANT_SHARE * whole) & (whole > 0.0)]


def breath_frames(levels: Frames, f0_hz: Frames) -> NDArray[np.bool_]:
    """Mark breaths: no pitch within 20 ms, 20 to 50 dB under the voice, over the noise.

    Args:
        levels, f0_hz: ``[F]`` each, dB and Hz, every 10 ms; some of them voiced.
    """
    voiced = f0_hz > 0
    under = levels - _mean_power_db(levels[voiced])
    unvoiced = ~ndimage.binary_dilation(voiced, iterations=_EDGE_FRAMES)
    noise_db = float(np.percentile(levels[~voiced], 10)) if not voiced.all() else 0.0
    quiet = (under <= -BREATH_UNDER_DB[0]) & (under >= -BREATH_UNDER_DB[1])
    found: NDArray[np.bool_] = unvoiced & quiet & (levels >= noise_db + _ABOVE_NOISE_DB)
    return found


def _under_voice_db(samples: FloatArray, rate_hz: int, sibilant: Places, voiced: Places) -> float:
    """Return the level of the sibilant band against the voice, at least -60 dB."""
    voice = float(_powers(samples, rate_hz, voiced)[1].mean())
    if voice <= 0.0:
        raise NotApplicable("the output is silent where the source sings; a voice is needed there")
    share = float(_powers(samples, rate_hz, sibilant)[0].mean()) / voice
    return 10.0 * float(np.log10(max(share, 10.0 ** (_LOWEST_DB / 10.0))))


def _powers(samples: FloatArray, rate_hz: int, frames: Places) -> tuple[Frames, Frames]:
    """Return the power of the sibilant band and of the whole, one each per frame."""
    width = round(_WINDOW_S * rate_hz)
    padded = np.pad(samples, width)
    bins_hz = fft.rfftfreq(width, 1.0 / rate_hz)
    in_band = (bins_hz >= SIBILANT_BAND_HZ[0]) & (bins_hz <= SIBILANT_BAND_HZ[1])
    in_whole = bins_hz >= _WHOLE_FROM_HZ
    starts = np.round(frames * HOP_S * rate_hz).astype(np.int64) + width - width // 2
    window = signal.get_window("hann", width)
    band, whole = np.zeros(len(frames)), np.zeros(len(frames))
    for first in range(0, len(frames), _BLOCK_FRAMES):
        part = slice(first, first + _BLOCK_FRAMES)
        cut = padded[np.minimum(starts[part, None] + np.arange(width), len(padded) - 1)]
        power = np.square(np.abs(fft.rfft(cut * window, axis=1)))
        band[part], whole[part] = power[:, in_band].sum(axis=1), power[:, in_whole].sum(axis=1)
    return band, whole


def _paired(one: NDArray[np.generic], other: NDArray[np.generic]) -> tuple[Any, Any]:
    count = min(len(one), len(other))
    return one[:count], other[:count]


def _mean_power_db(levels_db_: Frames) -> float:
    return 10.0 * float(np.log10(np.mean(10.0 ** (levels_db_ / 10.0))))


def _enough(found: int, what: str) -> None:
    if found < LEAST_FRAMES:
        raise NotApplicable(f"found {found} {what}, needs {LEAST_FRAMES} (10 ms each)")
