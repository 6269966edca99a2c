"""The bars of a part, as written, and the order in which repeats have them sung."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from autovoice.errors import InputError
from autovoice.speak.score.records import Syllable

MOST_BARS = 20_000
MOST_TIMES = 32


@dataclass
class Event:
    """A note as written.

    Args:
        at: beats (quarter notes) from the beginning of the bar.
        length: beats, above 0.
        key: MIDI number as it sounds.
        verses: the syllables by verse.
        graces: keys of grace notes before it.
        ties_on, ties_back: to the next note, to the one before.
    """

    at: Fraction
    length: Fraction
    key: float
    verses: Mapping[int, tuple[Syllable, ...]] = field(default_factory=dict)
    graces: tuple[float, ...] = ()
    ties_on: bool = False
    ties_back: bool = False


@dataclass
class Bar:
    """One bar of one part.

    Args:
        length: beats.
        lines: the notes of each line ("voice").
        tempos: (beat in the bar, quarter notes a minute).
        forward: a repeat begins here.
        times: a repeat ends here: how often all is sung; 0 for none.
        endings: numbers of the volta that this bar belongs to.
        jumps: words such as ``dacapo`` that send the singer elsewhere.
    """

    length: Fraction = Fraction(0)
    lines: dict[str, list[Event]] = field(default_factory=dict)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    forward: bool = False
    times: int = 0
    endings: frozenset[int] = frozenset()
    jumps: frozenset[str] = frozenset()


def sung_order(bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """Return the bars in the order in which they are sung, each with the number of its pass.

    A repeat goes back to the last beginning of a repeat, or to the first bar; in a volta only the
    passes of its numbers are sung. Jumps (da capo, dal segno) are not followed.

    Args:
        bars: of a part.

    Raises:
        InputError: repeats make more than 20,000 bars of it.
    """
    order: list[tuple[int, int]] = []
    for place_and_pass in _walk(bars):
        order.append(place_and_pass)
        if len(order) > MOST_BARS:
            raise InputError(
                f"score: found more than {MOST_BARS} bars to sing, repeats counted; split the score"
            )
    return order


def _walk(bars: Sequence[Bar]) -> Iterator[tuple[int, int]]:
    place, begin, sung_pass = 0, 0, 1
    while place < len(bars):
        bar = bars[place]
        if bar.forward and place != begin:
            begin, sung_pass = place, 1
        if bar.endings and sung_pass not in bar.endings:
            place += 1
            continue
        yield place, sung_pass
        if bar.times and sung_pass < _passes(bars, place):
            place, sung_pass = begin, sung_pass + 1
            continue
        place += 1
        volta_follows = place < len(bars) and bool(bars[place].endings)
        if (bar.times or bar.endings) and not volta_follows:
            begin, sung_pass = place, 1


def _passes(bars: Sequence[Bar], place: int) -> int:
    """Return how often the section that ends at ``place`` is sung.

    The repeat in a volta leads to the volta after it; one in the last volta leads nowhere.
    """
    bar = bars[place]
    if not bar.endings:
        return min(bar.times, MOST_TIMES)
    last = not (place + 1 < len(bars) and bars[place + 1].endings)
    return max(bar.endings) + (0 if last and 1 not in bar.endings else 1)
