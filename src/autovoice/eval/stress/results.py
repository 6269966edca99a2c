"""``stress.json``: what a run of the stress set found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from autovoice.eval.stored import Stored
from autovoice.eval.stress.columns import BY_KEY, COLUMNS, Column

FILE = "stress.json"
# Bumped when a figure changes its meaning, so that old results are not compared unawares.
FORMAT = 1
STORED = Stored(FILE, FORMAT, "place", ("name", "sha256"))
read, write = STORED.read, STORED.write
WORST = 3
Row = Mapping[str, Any]


def results(
    rows: Sequence[Row], about: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Sum up a run.

    Args:
        rows: as from ``run.run``.
        about: where, when and with what it was made.
        settings: what was asked for.

    Returns:
        ``about``, ``settings``, ``counts``, the ``mean_error`` of each figure (distance from its
        best value) with the number of places where it applies, the ``worst`` place by figure, the
        three ``worst_places`` with what is wrong there, and all ``places``.
    """
    fine = [row for row in rows if not row.get("error")]
    return {
        "format": FORMAT,
        "about": dict(about),
        "settings": dict(settings),
        "counts": {"places": len(rows), "done": len(fine), "failed": len(rows) - len(fine)},
        "mean_error": mean_errors(fine),
        "worst": _worst(fine),
        "worst_places": [_explained(row) for row in worst_places(fine)],
        "places": [dict(row) for row in rows],
    }


def there(rows: Sequence[Row], column: Column) -> list[Row]:
    """Return the rows in which a figure applies."""
    return [row for row in rows if row["figures"].get(column.measure.key) is not None]


def mean_errors(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Return the mean distance of each figure from its best value, and of how many places."""
    found = {}
    for column in COLUMNS:
        errors = [column.error(row["figures"][column.measure.key]) for row in there(rows, column)]
        if errors:
            found[column.measure.key] = {"value": fmean(errors), "places": len(errors)}
    return found


def worst_places(rows: Sequence[Row], count: int = WORST) -> list[Row]:
    """Return the places with most trouble, the worst first."""
    return sorted(rows, key=lambda row: -row["trouble"])[:count]


def faults(row: Row, count: int = 3) -> list[tuple[Column, float]]:
    """Return what is worst in a place: columns and values over what is noticed, at most three."""
    found = [
        (BY_KEY[key], value)
        for key, value in row["figures"].items()
        if value is not None and key in BY_KEY and BY_KEY[key].times_noticed(value) > 1.0
    ]
    return sorted(found, key=lambda each: -each[0].error(each[1]) / each[0].noticed)[:count]


def _worst(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    found = {}
    for column in COLUMNS:
        key, measured = column.measure.key, there(rows, column)
        if measured:
            row = max(measured, key=lambda row: column.error(row["figures"][key]))
            found[key] = {"place": row["name"], "value": row["figures"][key]}
    return found


def _explained(row: Row) -> dict[str, Any]:
    return {
        "place": row["name"],
        "trouble": row["trouble"],
        "faults": {column.measure.key: value for column, value in faults(row)},
    }
