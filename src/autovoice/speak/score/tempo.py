"""From beats to seconds."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction

from autovoice.errors import InputError

DEFAULT_BPM = 120.0
SLOWEST_BPM, FASTEST_BPM = 5.0, 1_000.0
LEAST_FACTOR, MOST_FACTOR, LEAST_BPM = 0.1, 4.0, 10.0


class TempoMap:
    """Where each beat lies, in seconds.

    Args:
        changes: (beat, quarter notes a minute). Where two share a beat the later one counts.
        asked: a factor up to 4 or quarter notes a minute from 10 on, see ``Choice.tempo``.

    Raises:
        InputError: a tempo that nothing can be sung in.
    """

    def __init__(
        self, changes: Iterable[tuple[Fraction, float]], asked: float | None = None
    ) -> None:
        marks = {Fraction(beat): checked_bpm(bpm) for beat, bpm in changes}
        self.given = bool(marks)
        first = marks[min(marks)] if marks else DEFAULT_BPM
        marks.setdefault(Fraction(0), first)
        self._beats = sorted(marks)
        self.first_bpm = marks[self._beats[0]]
        factor = tempo_factor(asked, self.first_bpm)
        self._rates = [marks[beat] * factor / 60 for beat in self._beats]
        self._times = [0.0]
        for place in range(1, len(self._beats)):
            span = float(self._beats[place] - self._beats[place - 1])
            self._times.append(self._times[-1] + span / self._rates[place - 1])

    def seconds(self, beat: Fraction) -> float:
        """Return when a beat is, seconds after the first."""
        place = max(bisect_right(self._beats, beat) - 1, 0)
        return self._times[place] + float(beat - self._beats[place]) / self._rates[place]


def checked_bpm(bpm: float) -> float:
    """Return a tempo, quarter notes a minute.

    Raises:
        InputError: it is none.
    """
    if not math.isfinite(bpm) or not SLOWEST_BPM <= bpm <= FASTEST_BPM:
        raise InputError(
            f"score: found a tempo of {bpm:g} quarter notes a minute, expected {SLOWEST_BPM:g} to "
            f"{FASTEST_BPM:g}"
        )
    return bpm


def tempo_factor(asked: float | None, first_bpm: float) -> float:
    """Return how much faster than written a score is sung.

    Args:
        asked: None, a factor of 0.1 to 4, or quarter notes a minute, 10 to 1,000.
        first_bpm: the tempo at the beginning; later ones keep their ratio to it.

    Raises:
        InputError: it is neither.
    """
    if asked is None:
        return 1.0
    if LEAST_FACTOR <= asked <= MOST_FACTOR:
        return asked
    if LEAST_BPM <= asked <= FASTEST_BPM:
        return asked / first_bpm
    raise InputError(
        f"tempo: found {asked:g}, expected a factor of {LEAST_FACTOR:g} to {MOST_FACTOR:g}, or "
        f"{LEAST_BPM:g} to {FASTEST_BPM:g} quarter notes a minute"
    )
