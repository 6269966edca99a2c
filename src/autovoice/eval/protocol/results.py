"""From the rows of a run to ``results.csv`` and ``results.json``."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from autovoice.eval.card import FORMAT
from autovoice.eval.protocol.columns import COLUMNS, Row, badness, value
from autovoice.eval.protocol.pairs import GROUPS
from autovoice.eval.report.template import write_text
from autovoice.eval.stored import Stored

CSV_FILE, JSON_FILE = "results.csv", "results.json"
STORED = Stored(JSON_FILE, FORMAT, "pair", ("key", "source", "target"))
read = STORED.read
HEAD = ("source", "target", "kind", "group", "language", "semitones", "audio_seconds", "error")
# Transcripts belong to whoever sang: they stay in rows.jsonl and in the cards.
PRIVATE = ("words",)
STATUSES = ("pass", "fail", "not applicable")


def results(
    rows: Sequence[Row], about: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Sum up a run.

    Args:
        rows: of the run; transcripts in them are left out here.
        about: where, when and with what it was made.
        settings: what was asked for.

    Returns:
        ``about``, ``settings``, ``counts``, ``mean`` and ``median`` (each figure with the number
        of pairs where it applies), means ``per`` source, target and group, the ``worst`` pair by
        measure, verdicts by gate, and all ``pairs``.
    """
    fine = [row for row in rows if not row.get("error")]
    commits = sorted({row["commit"] for row in rows if row.get("commit")})
    return {
        "format": FORMAT,
        "about": {**about, "commit": ", ".join(commits) or about.get("commit", "unknown")},
        "settings": dict(settings),
        "counts": {"pairs": len(rows), "done": len(fine), "failed": len(rows) - len(fine)},
        "mean": summed(fine, fmean),
        "median": summed(fine, median),
        "per": {key: grouped(fine, key) for key in ("group", "source", "target")},
        "worst": worst(fine),
        "gates": gates(fine),
        "pairs": [{k: v for k, v in row.items() if k not in PRIVATE} for row in rows],
    }


def summed(
    rows: Sequence[Row], how: Callable[[Sequence[float]], float] = fmean
) -> dict[str, dict[str, Any]]:
    """Return each figure over the rows where it applies, and how many those are."""
    found = {}
    for column in COLUMNS:
        numbers = [n for row in rows if (n := value(row, column.key)) is not None]
        if numbers:
            found[column.key] = {"value": how(numbers), "pairs": len(numbers)}
    return found


def grouped(rows: Sequence[Row], key: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return means per value of ``key``: ``source``, ``target`` or ``group``."""
    names = dict.fromkeys(row[key] for row in rows)
    return {name: summed([row for row in rows if row[key] == name]) for name in names}


def group_heads(found: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return heads of tables with the number of pairs: of all, and of each group that is there."""
    counts = Counter(row["group"] for row in found["pairs"] if not row.get("error"))
    heads: dict[str, str] = {
        group: f"{GROUPS[group]} ({counts[group]})" for group in GROUPS if counts[group]
    }
    return f"all pairs ({counts.total()})", heads


def worst(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Name the worst pair by each measure that has a better and a worse."""
    found = {}
    for column in COLUMNS:
        there = [row for row in rows if value(row, column.key) is not None]
        if there and column.better != "none":
            ranked = [badness(column.key, value(row, column.key) or 0.0) for row in there]
            row = there[ranked.index(max(ranked))]
            found[column.key] = {"pair": pair_name(row), "value": value(row, column.key)}
    return found


def gates(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Count the verdicts of each gate, in the order in which they come up."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for gate in row.get("gates", ()):
            key = gate["name"], gate["protocol"]
            named = {part: gate[part] for part in ("name", "measure", "wanted", "protocol")}
            entry = found.setdefault(key, {**named, **dict.fromkeys(STATUSES, 0)})
            entry[gate["status"]] += 1
    return list(found.values())


def pair_name(row: Row) -> str:
    """Return ``source -> target``."""
    return f"{row['source']} -> {row['target']}"


def write(found: Mapping[str, Any], folder: Path) -> None:
    """Write ``results.csv`` and ``results.json``; never NaN, no transcripts.

    Raises:
        ResourceError: the folder cannot be written.
    """
    STORED.write(found, folder)
    write_text(folder / CSV_FILE, csv_text(found["pairs"]))


def csv_text(rows: Sequence[Row]) -> str:
    """Return a table with one line per pair and one column per figure; empty: not applicable."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*HEAD, *(column.key for column in COLUMNS)])
    for row in rows:
        figures = ("" if (n := value(row, c.key)) is None else n for c in COLUMNS)
        head = ("" if row.get(key) is None else row[key] for key in HEAD)
        writer.writerow([*head, *figures])
    return stream.getvalue()
