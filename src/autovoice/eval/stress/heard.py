"""An output and its source as the measures of the stress set need them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from autovoice import io
from autovoice.eval.aligned import check_audible, check_lengths
from autovoice.eval.figure import NotApplicable
from autovoice.eval.frames import FLOOR_DB, levels_db, loud_db
from autovoice.eval.harvest import harvest
from autovoice.eval.pitch import Tracker
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

Curve = NDArray[np.float64]
Marks = NDArray[np.bool_]

LEAST_FRAMES = 20
# What is further off is a slip, and no longer the same note.
NEAR_CENTS = 200.0
MOST_RATE_HZ = 24_000
# The rise and the fall of a note belong to it no more than to its surroundings.
EDGE_FRAMES = 3
_HISS_UNDER_DB = 50.0
_ABOVE_NOISE_DB = 10.0
_QUIETEST_PERCENTILE = 5.0
# Long enough that the period of the lowest note does not show, short enough for 12 Hz.
_ENVELOPE_S = 0.025


@dataclass(frozen=True, eq=False)
class Heard:
    """Two recordings side by side, with curves of 10 ms, each ``[F]``.

    Args:
        output, source: mono, one rate of at most 24 kHz, equal length.
        output_hz, source_hz: F0 by Harvest, 0 where unvoiced.
        wanted_hz: ``source_hz`` moved by the shift.
        output_db, source_db: level, dB to full scale, as from ``frames.levels_db``.
    """

    output: Audio
    source: Audio
    output_hz: Curve
    source_hz: Curve
    wanted_hz: Curve
    output_db: Curve
    source_db: Curve

    @property
    def both(self) -> Marks:
        """Frames that are voiced in the output and wanted so."""
        return (self.output_hz > 0) & (self.wanted_hz > 0)

    @property
    def sung(self) -> Marks:
        """Frames that the source sings, without 30 ms at the ends of each stretch."""
        return inner(self.wanted_hz > 0)

    @property
    def sung_hz(self) -> Curve:
        """Pitch of the output where it is near the wanted one, else the wanted one.

        Noise hides notes over 600 Hz from Harvest; where they are looked for by what is wanted,
        they are found all the same.
        """
        near = self.both & (np.abs(self.error_cents) <= NEAR_CENTS)
        pitch: Curve = np.where(near, self.output_hz, self.wanted_hz)
        return pitch

    @property
    def error_cents(self) -> Curve:
        """Output less wanted pitch; 0 where one is unvoiced."""
        both = self.both
        ratio = np.where(both, self.output_hz, 1.0) / np.where(both, self.wanted_hz, 1.0)
        cents: Curve = 1200.0 * np.log2(ratio)
        return cents

    @property
    def hissing(self) -> Marks:
        """Frames of sibilants, breaths and whispering in the source.

        Those without pitch within 30 ms, at most 50 dB under the loud level and at least 10 dB
        above the quietest twentieth of the recording.
        """
        level = self.source_db
        least_db = np.percentile(level, _QUIETEST_PERCENTILE) + _ABOVE_NOISE_DB
        unvoiced = inner(self.source_hz <= 0)
        sounding = (level >= least_db) & (level >= loud_db(level) - _HISS_UNDER_DB)
        marks: Marks = unvoiced & sounding
        return marks


def hear(
    output: Audio, source: Audio, semitones: float = 0.0, *, tracker: Tracker = harvest
) -> Heard:
    """Lay two recordings side by side and track their pitch.

    No delay is taken out: a conversion keeps time to the sample, and in an even slide a delay could
    not be told from a wrong pitch.

    Args:
        output, source: any rates and channels, at most 0.5 s apart in length. The output may be
            silent.
        semitones: the shift that was applied.
        tracker: finds F0 in both. Default ``harvest``.

    Raises:
        NotApplicable: one is empty, the source is silent, or lengths differ.
    """
    check_lengths(output, source)
    check_audible(source.samples, "source")
    rate_hz = min(output.sample_rate_hz, source.sample_rate_hz, MOST_RATE_HZ)
    parts = [
        io.resample(audio.mono()[None], audio.sample_rate_hz, rate_hz) for audio in (output, source)
    ]
    count = min(part.shape[1] for part in parts)
    ours, theirs = (Audio(part[:, :count], rate_hz) for part in parts)
    ours_hz, theirs_hz = tracker([(audio.mono(), rate_hz) for audio in (ours, theirs)])
    levels = [levels_db(audio) for audio in (ours, theirs)]
    frames = min(len(levels[0]), len(ours_hz), len(theirs_hz))
    return Heard(
        output=ours,
        source=theirs,
        output_hz=ours_hz[:frames],
        source_hz=theirs_hz[:frames],
        wanted_hz=theirs_hz[:frames] * 2.0 ** (semitones / 12.0),
        output_db=levels[0][:frames],
        source_db=levels[1][:frames],
    )


def inner(marks: Marks, frames: int = EDGE_FRAMES) -> Marks:
    """Return marks without the first and last frames of each stretch."""
    eroded: Marks = ndimage.binary_erosion(marks, iterations=frames)
    return eroded


def mean_db(levels: Curve) -> float:
    """Return the mean power of levels in dB."""
    return 10.0 * float(np.log10(np.mean(10.0 ** (levels / 10.0))))


def envelope_db(audio: Audio, frames: int) -> Curve:
    """Return the level around every 10 ms, weighted by a Hann window of 25 ms.

    Smoother than ``frames.levels_db``, so that the beating of low notes with the frames does not
    read as a trembling level.

    Returns:
        ``[frames]``, dB to full scale, from -120 up; frame ``k`` is centred at ``k / 100`` s.
    """
    rate_hz = audio.sample_rate_hz
    window = signal.get_window("hann", round(_ENVELOPE_S * rate_hz) | 1)
    power = np.square(audio.mono().astype(np.float64))
    smooth = signal.fftconvolve(power, window / window.sum(), mode="same")
    places = np.round(np.arange(frames) * HOP_S * rate_hz).astype(np.int64)
    level: Curve = 10.0 * np.log10(
        np.maximum(smooth[np.minimum(places, len(smooth) - 1)], 10.0 ** (FLOOR_DB / 10.0))
    )
    return level


def enough(marks: Marks, what: str) -> Marks:
    """Return marks of at least 0.2 s in all.

    Raises:
        NotApplicable: there are fewer than 20.
    """
    found = int(marks.sum())
    if found < LEAST_FRAMES:
        raise NotApplicable(f"found {found} {what}, needs {LEAST_FRAMES} (10 ms each)")
    return marks
