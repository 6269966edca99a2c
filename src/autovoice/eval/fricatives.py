"""Whether sibilants and breaths were kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from autovoice.eval.aligned import aligned_mono, check_audible, check_lengths, common_rate_hz
from autovoice.eval.figure import NotApplicable
from autovoice.eval.frames import levels_db, loud_db
from autovoice.eval.world import HOP_S
from autovoice.types import Audio, FloatArray

Frames = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_FRAMES = 20
SIBILANT_BAND_HZ = (4000.0, 10_000.0)
# Half of the energy of [s] and a third of that of [sh] lie above 4 kHz; of breath and [f] less.
SIBILANT_SHARE = 0.3
_ACTIVE_RANGE_DB = 30.0
_MOST_RATE_HZ = 24_000
_LEAST_RATE_HZ = 16_000
_WHOLE_FROM_HZ = 100.0
_WINDOW_S = 0.02
_BLOCK_FRAMES = 2000
# Breath lies this far under the voice; quieter is room noise, louder are consonants.
BREATH_UNDER_DB = (20.0, 50.0)
_ABOVE_NOISE_DB = 6.0
# Ends of notes ring on without a pitch.
_EDGE_FRAMES = 2
# Breath that was muted counts as this far under the voice.
_LOWEST_DB = -60.0


def sibilance_db(output: Audio, source: Audio, source_f0_hz: Frames) -> float:
    """Return how much of the sibilance was kept: its band's share, output less source.

    Judged are the source's sibilants: frames of 10 ms without pitch, within 30 dB of its loud
    level, with at least 0.3 of their energy over 4 kHz. There the energy from 4 to 10 kHz is
    divided by the whole energy from 100 Hz, in output and source, each summed over these frames.
    Both are brought to 24 kHz or to the lower rate of the two, so at 16 kHz the band ends at 8 kHz.
    A sibilant that is missing as a whole, hiss and all, has no share that could be wrong.

    Args:
        output, source: any rates from 16 kHz up; at most 0.5 s apart in length.
        source_f0_hz: ``[F]``, every 10 ms as from ``harvest``, 0 where unvoiced.

    Returns:
        dB; 0 when kept, negative when dull, positive when sharp.

    Raises:
        NotApplicable: one is silent, lengths differ, a rate is too low, there are fewer than 20
            such frames, or the output is silent in all of them.
    """
    rate_hz = common_rate_hz(output, source, least_hz=_LEAST_RATE_HZ, most_hz=_MOST_RATE_HZ)
    ours, theirs = aligned_mono(output, source, rate_hz)
    level = levels_db(source)
    active, unvoiced = _paired(level >= loud_db(level) - _ACTIVE_RANGE_DB, source_f0_hz <= 0)
    hissing = np.flatnonzero(active & unvoiced)
    band, whole = _energies(theirs, rate_hz, hissing)
    sibilant = (band >= SIBILANT_SHARE * whole) & (whole > 0.0)
    _enough(int(sibilant.sum()), "sibilant frames (unvoiced, bright) in the source")
    output_band, output_whole = _energies(ours, rate_hz, hissing[sibilant])
    if output_band.sum() <= 1e-12 * len(output_band):
        raise NotApplicable("the output is silent in the source's sibilants; sound is needed there")
    kept = float(output_band.sum() / output_whole.sum())
    wanted = float(band[sibilant].sum() / whole[sibilant].sum())
    return 10.0 * float(np.log10(kept / wanted))


def breath_db(output: Audio, source: Audio, source_f0_hz: Frames) -> float:
    """Return how much of the breath was kept: its level under the voice, output less source.

    Judged are frames of 10 ms in which the source has no pitch, nor within 20 ms, is 20 to 50 dB
    under its voiced frames, and at least 6 dB over the quietest tenth of what is unvoiced (its
    noise). Their mean level in dB, less the level of the voiced frames, is compared. Muted frames
    count as 60 dB under the voice. Each recording is read at its own rate.

    Args:
        output, source: any rates; at most 0.5 s apart in length.
        source_f0_hz: ``[F]``, every 10 ms as from ``harvest``, 0 where unvoiced.

    Returns:
        dB; 0 when kept, negative when muted, positive when too loud.

    Raises:
        NotApplicable: one is silent, lengths differ, or there are fewer than 20 such frames or
            fewer than 20 voiced ones.
    """
    check_lengths(output, source)
    for audio, name in ((output, "output"), (source, "source")):
        check_audible(audio.samples, name)
    ours, theirs = _paired(levels_db(output), levels_db(source))
    theirs, voiced = _paired(theirs, source_f0_hz > 0)
    ours = ours[: len(theirs)]
    _enough(int(voiced.sum()), "voiced frames in the source")
    under = theirs - _mean_power_db(theirs[voiced])
    unvoiced = ~ndimage.binary_dilation(voiced, iterations=_EDGE_FRAMES)
    noise_db = float(np.percentile(theirs[~voiced], 10)) if not voiced.all() else 0.0
    quiet = (under <= -BREATH_UNDER_DB[0]) & (under >= -BREATH_UNDER_DB[1])
    breath = unvoiced & quiet & (theirs >= noise_db + _ABOVE_NOISE_DB)
    _enough(int(breath.sum()), "breathy frames (unvoiced, 20 to 50 dB under the voice)")
    kept = np.maximum(ours[breath] - _mean_power_db(ours[voiced]), _LOWEST_DB)
    return float(np.mean(kept) - np.mean(under[breath]))


def _energies(
    samples: FloatArray, rate_hz: int, frames: NDArray[np.int64]
) -> tuple[Frames, Frames]:
    """Return the energy of the sibilant band and of the whole, one each per frame."""
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
