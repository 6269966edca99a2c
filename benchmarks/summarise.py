"""From rows of a protocol run to means, worst pairs and a Markdown table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

Row = Mapping[str, Any]
# Name of the measure, its heading, how it is printed, and which end is worse.
MEASURES: tuple[tuple[str, str, str, Callable[..., Any]], ...] = (
    ("median_cents", "pitch error, cents", "{:.1f}", max),
    ("within_50_cents", "within 50 cents", "{:.3f}", min),
    ("beyond_200_cents", "beyond 200 cents", "{:.3f}", max),
    ("rmse_hz", "RMSE, Hz", "{:.1f}", max),
    ("voicing_error", "voicing error", "{:.3f}", max),
    ("log_f0_correlation", "log-F0 corr.", "{:.3f}", min),
    ("similarity_target", "similarity", "{:.3f}", min),
    ("similarity_floor", "floor", "{:.3f}", min),
    ("similarity_gain", "above floor", "{:+.3f}", min),
    ("similarity_source", "to the source", "{:.3f}", max),
    ("cer", "CER", "{:.3f}", max),
    ("length_error_samples", "length error", "{:.0f}", max),
    ("realtime_factor", "x real time", "{:.2f}", max),
)


def means(rows: Sequence[Row]) -> dict[str, float | None]:
    """Return the mean of every measure over the rows where it applies."""
    found: dict[str, float | None] = {}
    for key, *_ in MEASURES:
        values = [row[key] for row in rows if row.get(key) is not None]
        found[key] = fmean(values) if values else None
    return found


def grouped(rows: Sequence[Row], key: str) -> dict[str, dict[str, float | None]]:
    """Return means per value of ``key`` (``source`` or ``target``)."""
    names = dict.fromkeys(row[key] for row in rows)
    return {name: means([row for row in rows if row[key] == name]) for name in names}


def worst(rows: Sequence[Row]) -> dict[str, str]:
    """Name the worst pair by each measure."""
    found: dict[str, str] = {}
    for key, _, style, end in MEASURES:
        there = [row for row in rows if row.get(key) is not None]
        if there and key not in ("similarity_floor", "realtime_factor"):
            row = end(there, key=lambda row, key=key: row[key])
            found[key] = f"{row['source']} -> {row['target']} ({style.format(row[key])})"
    return found


def markdown(rows: Sequence[Row], about: Mapping[str, str]) -> str:
    """Write the report: what was run, means, per source and target, worst, every pair."""
    lines = [f"- {key}: {value}" for key, value in about.items()]
    lines += ["", *_table("", {"mean": means(rows)})]
    for key in ("source", "target"):
        lines += ["", *_table(key, grouped(rows, key))]
    headings = {key: heading for key, heading, *_ in MEASURES}
    lines += ["", "| worst pair by | |", "|---|---|"]
    lines += [f"| {headings[key]} | {pair} |" for key, pair in worst(rows).items()]
    pairs = {f"{row['source']} -> {row['target']}": row for row in rows}
    lines += ["", *_table("pair", pairs)]
    return "\n".join(lines) + "\n"


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write every row with all its columns."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _table(first: str, named: Mapping[str, Row]) -> list[str]:
    headings = [first, *(heading for _, heading, *_ in MEASURES)]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for name, row in named.items():
        cells = [
            "-" if row.get(key) is None else style.format(row[key]) for key, _, style, _ in MEASURES
        ]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines
