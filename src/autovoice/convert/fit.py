"""Choose the octave in which a voice sings a melody, and the shift that would suit it best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from autovoice.convert.outside import Melody
from autovoice.types import Pitch, PitchRange, Speaker

LARGEST_SHIFT = 24
OCTAVES = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1, 12)
KEYS = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
# People sing above where they speak: a second octave is moved only when one leaves the melody
# more than this far outside of the range.
SECOND_OCTAVE_COST = 0.5
# Shares of a song that differ by less are as good: a few notes do not decide.
SAME_SHARE = 0.05


def semitones_auto(source: Pitch, speaker: Speaker, melody: Melody | None = None) -> int:
    """Return the whole octaves that bring the source's median nearest to the voice's range.

    The range is the voice's 5th to 95th percentile. A second octave counts as half an octave
    outside, since people sing above where they speak. Inside the range every octave is as good for
    the median: of those the one wins that leaves the least of the song outside of the voice's
    comfortable range, so that a chorus far above counts; where that is the same to about 5 %, the
    one whose median lies nearest to the voice's own median, the unshifted one at a tie.

    Args:
        source: pitch of the vocal, Hz.
        speaker: the voice, with its pitch statistics.
        melody: of ``source``, where it is known already. Default: it is made.

    Returns:
        -24, -12, 0, 12 or 24; 0 when either has no pitch.
    """
    voiced = source.f0_hz[source.f0_hz > 0]
    comfortable = speaker.comfortable
    if not len(voiced) or comfortable is None:
        return 0
    median = float(np.median(voiced))
    low = speaker.f0_low_hz or speaker.f0_median_hz
    high = speaker.f0_high_hz or speaker.f0_median_hz
    notes = melody or Melody.of(source)

    def distance(semitones: int) -> tuple[float, int, float, int]:
        moved = median * 2.0 ** (semitones / 12)
        outside = max(math.log2(low / moved), math.log2(moved / high), 0.0)
        centre = abs(math.log2(moved / speaker.f0_median_hz))
        outside += SECOND_OCTAVE_COST * max(0, abs(semitones) // 12 - 1)
        share = _steps(notes.share_outside(comfortable, semitones))
        return outside, share, round(centre, 6), abs(semitones)

    return min(OCTAVES, key=distance)


def best_shift(melody: Melody, voice: PitchRange, shifts: Iterable[int], wanted: int) -> int:
    """Return the shift that leaves the least of a song outside of a voice's range.

    Where that is the same to about 5 %, the one wins that moves the backing least, then the one
    nearest to ``wanted``: a song that fits in its octave needs no other key.

    Args:
        melody: unshifted.
        voice: the comfortable range.
        shifts: to choose from, semitones.
        wanted: what is taken where nothing speaks against it, semitones.
    """

    best: tuple[int, int] | None = None
    for shift in _in_order(tuple(shifts), wanted):
        share = _steps(melody.share_outside(voice, shift))
        if best is None or share < best[0]:
            best = share, shift
        if share == 0:  # none that comes later leaves less
            break
    if best is None:
        raise ValueError("shifts: found none, expected at least one")
    return best[1]


@lru_cache(256)
def _in_order(shifts: tuple[int, ...], wanted: int) -> tuple[int, ...]:
    """Return shifts as they are preferred where the song lies as well with each."""

    def distance(semitones: int) -> tuple[int, int, int]:
        backing = min(semitones % 12, -semitones % 12)
        return backing, abs(semitones - wanted), abs(semitones)

    return tuple(sorted(shifts, key=distance))


def _steps(share: float) -> int:
    return round(share / SAME_SHARE)
