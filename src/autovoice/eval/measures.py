"""Every measure of a card: name, unit, range, which way is better, and where it comes from.

The table itself is ``measures.csv`` beside this file.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Better = Literal["lower", "higher", "zero", "none"]


@dataclass(frozen=True)
class Measure:
    """What a figure of a card means.

    Args:
        key: its name in JSON and CSV.
        heading: its name in tables.
        unit: ``""`` for a pure number.
        least, most: range of possible values; None where it is open.
        better: ``lower``, ``higher``, ``zero`` (nearest to zero), ``none`` (for the record).
        style: how it is printed. Gates see the value itself, so that none is rounded over one.
        group: heading under which cards show it.
        says: one sentence for a person.
        source: paper or author.
    """

    key: str
    heading: str
    unit: str
    least: float | None
    most: float | None
    better: Better
    style: str
    group: str
    says: str
    source: str


def read_measures(path: Path) -> tuple[Measure, ...]:
    """Read a table of measures, with the columns of ``Measure``."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_measure(row) for row in csv.DictReader(file))


def _measure(row: dict[str, str]) -> Measure:
    least, most = (float(row[end]) if row[end] else None for end in ("least", "most"))
    words = {key: value for key, value in row.items() if key not in {"least", "most", "better"}}
    return Measure(**words, least=least, most=most, better=cast(Better, row["better"]))


MEASURES = read_measures(Path(__file__).with_suffix(".csv"))
BY_KEY = {measure.key: measure for measure in MEASURES}


def printed(key: str, value: float | None) -> str:
    """Return a value as tables show it, ``-`` when there is none."""
    return "-" if value is None else BY_KEY[key].style.format(value)
