"""The tables of a run as cells of text: places by figures, in three groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autovoice.eval.stress.columns import BY_KEY, COLUMNS, GROUPS, Column
from autovoice.eval.stress.results import faults, there

_SHADES = 6


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: one of ``columns.GROUPS``.
        columns: its columns; the first column holds names and is not among them.
        lines: ``(name, texts)`` of each place in which one of the columns applies.
        heat: ``[lines][columns]`` how bad each cell is, 0 to 6; None where it does not apply.
        errors: mean error of each column over the places of the run.
    """

    title: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    heat: tuple[tuple[int | None, ...], ...]
    errors: tuple[str, ...]


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a run, as ``results.results`` returns it; empty ones are left out."""
    rows = [row for row in found["places"] if not row.get("error")]
    made = [_table(group, rows, found["mean_error"]) for group in GROUPS]
    return [table for table in made if table.lines]


def _table(
    group: str, rows: Sequence[Mapping[str, Any]], errors: Mapping[str, Mapping[str, Any]]
) -> Table:
    columns = tuple(c for c in COLUMNS if c.group == group and there(rows, c))
    keys = [column.measure.key for column in columns]
    kept = [row for row in rows if any(row["figures"].get(key) is not None for key in keys)]
    values = [[row["figures"].get(key) for key in keys] for row in kept]
    return Table(
        group,
        columns,
        tuple(
            (row["name"], tuple(c.printed(v) for c, v in zip(columns, line, strict=True)))
            for row, line in zip(kept, values, strict=True)
        ),
        tuple(tuple(heat(c, v) for c, v in zip(columns, line, strict=True)) for line in values),
        tuple(_unsigned(column, errors[column.measure.key]["value"]) for column in columns),
    )


def heat(column: Column, value: float | None) -> int | None:
    """Return how bad a figure is, from 0 (not noticed) to 6 (six times what is noticed)."""
    return None if value is None else min(_SHADES, int(column.times_noticed(value)))


def worst_lines(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each of the worst places."""
    rows = {row["name"]: row for row in found["places"]}
    lines = []
    for number, entry in enumerate(found["worst_places"], start=1):
        row = rows[entry["place"]]
        wrong = [f"{c.measure.heading} {_with_unit(c, value)}" for c, value in faults(row)]
        said = "; ".join(wrong) or "nothing that is noticed"
        lines.append(f"{number}. {row['name']} ({row['says']}), {row['trouble']:.1f} of 10: {said}")
    return lines


def comparison_lines(found: Mapping[str, Any]) -> list[str]:
    """Return the comparison of ``compare.compare`` as text."""
    lines = [
        f"{found['matched']} places with the same sound as in the earlier run, "
        f"{found['unmatched']} without"
    ]
    for change in found["changes"]:
        column = BY_KEY[change["measure"]]
        before, after = (_unsigned(column, change[end]) for end in ("before", "after"))
        lines.append(
            f"{column.measure.heading}: mean error {before} -> {after} "
            f"({change['better']} better, {change['worse']} worse of {change['places']})"
        )
    for each in found["moved"]:
        column = BY_KEY[each["measure"]]
        before, after = (_with_unit(column, each[end]) for end in ("before", "after"))
        verdict = "worse" if each["times_noticed"] > 0 else "better"
        lines.append(f"{verdict}: {each['place']}: {column.measure.heading} {before} -> {after}")
    return lines


def _with_unit(column: Column, value: float) -> str:
    return f"{column.printed(value)} {column.measure.unit}".rstrip()


def _unsigned(column: Column, value: float) -> str:
    """Print an error: a distance has no sign."""
    return column.measure.style.replace("+", "").format(value)
