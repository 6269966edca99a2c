"""Choose the octave in which a voice sings a melody."""

from __future__ import annotations

import numpy as np

from autovoice.types import Pitch, Speaker

LARGEST_SHIFT = 24
# People sing above where they speak: a second octave is moved only when one leaves the melody
# more than this far outside of the range.
SECOND_OCTAVE_COST = 0.5


def semitones_auto(source: Pitch, speaker: Speaker) -> int:
    """Return the whole octaves that bring the source's median nearest to the voice's range.

    The range is the voice's 5th to 95th percentile; inside it every octave is as good, and the
    one whose median lies nearest to the voice's own median wins, the unshifted one at a tie. A
    second octave counts as half an octave outside, since people sing above where they speak.

    Args:
        source: pitch of the vocal, Hz.
        speaker: the voice, with its pitch statistics.

    Returns:
        -24, -12, 0, 12 or 24; 0 when either has no pitch.
    """
    voiced = source.f0_hz[source.f0_hz > 0]
    if not len(voiced) or speaker.f0_median_hz <= 0:
        return 0
    median = float(np.median(voiced))
    low = speaker.f0_low_hz or speaker.f0_median_hz
    high = speaker.f0_high_hz or speaker.f0_median_hz

    def distance(semitones: int) -> tuple[float, float, int]:
        moved = median * 2.0 ** (semitones / 12)
        outside = max(np.log2(low / moved), np.log2(moved / high), 0.0)
        centre = abs(np.log2(moved / speaker.f0_median_hz))
        outside += SECOND_OCTAVE_COST * max(0, abs(semitones) // 12 - 1)
        return float(outside), float(round(centre, 6)), abs(semitones)

    return min(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1, 12), key=distance)
