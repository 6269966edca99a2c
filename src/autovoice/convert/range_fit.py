"""Compare where a song lies with where a voice sings at ease."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autovoice.convert.fit import KEYS, OCTAVES, best_shift, semitones_auto
from autovoice.convert.outside import Melody
from autovoice.types import Pitch, PitchRange, RangeFit, ShiftAdvice, Speaker

NO_NOTE = "no pitch was found in the song"
NO_RANGE = "the pitch of the voice is not known"


def range_fit(source: Pitch, speaker: Speaker, semitones: int) -> RangeFit:
    """Say how a melody fits a voice with a shift, and which shift would fit better.

    Args:
        source: pitch of the vocal, Hz, unshifted.
        speaker: the voice, with its pitch statistics.
        semitones: the shift that is applied.

    Returns:
        The comparison; where song or voice has no pitch, what is known and the reason.
    """
    voice, song = speaker.comfortable, _song(source, semitones)
    fit = RangeFit(semitones, song, voice)
    if song is None:
        return replace(fit, why_not=NO_NOTE)
    if voice is None:
        return replace(fit, why_not=NO_RANGE)
    melody = Melody.of(source)
    auto = semitones_auto(source, speaker, melody)
    octave = best_shift(melody, voice, OCTAVES, auto)
    key = best_shift(melody, voice, KEYS, octave)

    def advice(shift: int) -> ShiftAdvice:
        return ShiftAdvice(shift, melody.share_outside(voice, shift))

    return replace(
        fit,
        share_above=melody.share("above", voice, semitones),
        share_below=melody.share("below", voice, semitones),
        spans=melody.spans(voice, semitones),
        auto=advice(auto),
        octave=advice(octave),
        key=advice(key),
    )


def _song(source: Pitch, semitones: int) -> PitchRange | None:
    """Return the 5th, 50th and 95th percentile after the shift, None where nothing is voiced."""
    voiced = source.f0_hz[np.isfinite(source.f0_hz) & (source.f0_hz > 0)]
    if not len(voiced):
        return None
    # As np.percentile, which takes four times as long for a few hundred values.
    ranks = np.array([0.05, 0.5, 0.95]) * (len(voiced) - 1)
    found = np.interp(ranks, np.arange(len(voiced)), np.sort(voiced))
    low, median, high = found * 2.0 ** (semitones / 12)
    return PitchRange(float(low), float(median), float(high))
