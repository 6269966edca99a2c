"""Every figure of the stress set, in the order of its tables.

``measures.csv`` beside this file holds those that only the stress set has, ``columns.csv`` all of
them with a short head and the size of error that counts as noticed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autovoice.eval.measures import BY_KEY as OF_CARDS
from autovoice.eval.measures import Measure, read_measures

_FOLDER = Path(__file__).parent
OWN_MEASURES = read_measures(_FOLDER / "measures.csv")
GROUPS = ("high notes", "steadiness", "noise")
_GROUPS_OF_CARDS = {"pitch": "high notes", "gaps": "noise"}
# An error counts up to so many times what is noticed, so that one figure does not hide the others.
MOST_TIMES = 10.0
# From here on gaps are heard.
_SILENT_GAP_DB = -60.0


@dataclass(frozen=True)
class Column:
    """A figure of the stress set.

    Args:
        measure: what it is.
        head: its name over a narrow column.
        noticed: how large an error counts as one, in the unit of the measure. AutoVoice's own
            judgement, which only orders the places by how bad they are.
        group: the table that it stands in, one of ``GROUPS``.
    """

    measure: Measure
    head: str
    noticed: float
    group: str

    def error(self, value: float) -> float:
        """Return how far a value is from the best one, in the unit of the measure."""
        if self.measure.key == "gap_level_db":
            return max(0.0, value - _SILENT_GAP_DB)
        if self.measure.better == "higher" and self.measure.most is not None:
            return self.measure.most - value
        return abs(value) if self.measure.better == "zero" else max(0.0, value)

    def times_noticed(self, value: float) -> float:
        """Return the error in units of what is noticed, at most 10."""
        return min(MOST_TIMES, self.error(value) / self.noticed)

    def printed(self, value: float | None) -> str:
        """Return a value as tables show it, ``-`` when there is none."""
        return "-" if value is None else self.measure.style.format(value)


def _read() -> tuple[Column, ...]:
    own = {measure.key: measure for measure in OWN_MEASURES}
    with (_FOLDER / "columns.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_column(row, own) for row in csv.DictReader(file))


def _column(row: Mapping[str, str], own: Mapping[str, Measure]) -> Column:
    measure = own.get(row["key"]) or OF_CARDS[row["key"]]
    group = _GROUPS_OF_CARDS.get(measure.group, measure.group)
    return Column(measure, row["head"], float(row["noticed"]), group)


COLUMNS = _read()
BY_KEY = {column.measure.key: column for column in COLUMNS}


def trouble(figures: Mapping[str, float | None]) -> float:
    """Return how bad a place is: the mean over its figures of ``Column.times_noticed``.

    Returns:
        0 for a perfect place, 10 where everything is as bad as can be counted.
    """
    times = [
        BY_KEY[key].times_noticed(value)
        for key, value in figures.items()
        if value is not None and key in BY_KEY
    ]
    return sum(times) / len(times) if times else 0.0
