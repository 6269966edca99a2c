"""The evaluation protocol as a section of the page: ``autovoice eval --protocol``, summed up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autovoice.bench.tables import table
from benchmarks.page import Section, against
from benchmarks.process import python

Means = Mapping[str, Mapping[str, Any]]


def protocol(
    folder: Path, out: Path, *, pairs: str = "quick", device: str = "cpu", resume: bool = False
) -> Section:
    """Run the protocol in a process of its own and sum it up.

    Args:
        folder: the evaluation audio with its manifest.
        out: folder of the report.
        pairs: ``quick`` or ``full``.
        device: where to convert.
        resume: go on with a run that was cut off.
    """
    words = ["--protocol", str(folder), "--pairs", pairs, "--report", str(out), "--device", device]
    python("-m", "autovoice", "eval", *words, *([] if resume else ["--fresh"]))
    return section(json.loads((out / "results.json").read_text(encoding="utf-8")))


def section(results: Mapping[str, Any]) -> Section:
    """Sum up what a run of the protocol found."""
    return Section(
        "protocol",
        f"Quality: the {_extent(results)}",
        markdown(results),
        {"results": public(results)},
    )


def public(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is published of a run, enough to compare another with it.

    Left out are words about single pairs, which may hold what is sung, and where the run was made.
    """
    kept = ("key", "source", "target", "kind", "group", "seconds", "semitones", "error", "figures")
    pairs = [{key: row[key] for key in kept if key in row} for row in results["pairs"]]
    parts = ("format", "settings", "counts", "mean", "median", "per", "worst", "gates")
    return {**{part: results[part] for part in parts}, "pairs": pairs}


def markdown(results: Mapping[str, Any]) -> str:
    """Write means against goals, means by group, gates, worst pairs and every pair."""
    from autovoice.eval.protocol.columns import BY_KEY, printed
    from autovoice.eval.protocol.results import group_heads

    everyone, names = group_heads(results)
    columns = {everyone: results["mean"]}
    columns |= {name: results["per"]["group"][group] for group, name in names.items()}
    verdicts = ("name", "wanted", "pass", "fail", "not applicable", "protocol")
    gates = [[gate[part] for part in verdicts] for gate in results["gates"]]
    worst = [
        (BY_KEY[key].heading, entry["pair"], printed(key, entry["value"]))
        for key, entry in results["worst"].items()
    ]
    parts = [
        _goals(results["per"]["group"]),
        _means(columns),
        table(["gate", *verdicts[1:5], "holds for"], gates),
        _pairs(results["pairs"]),
        table(["worst pair by", "", ""], worst),
    ]
    return "\n\n".join(parts)


def _extent(results: Mapping[str, Any]) -> str:
    """Return which pairs were run, and how much of each."""
    settings, count = results["settings"], results["counts"]["pairs"]
    seconds = settings.get("seconds")
    part = "all of each source" if seconds is None else f"the most active {seconds:g} s of each"
    return f"evaluation protocol ({settings['pairs']}: {count} pairs, {part}, zero-shot voices)"


def _goals(per_group: Mapping[str, Means]) -> str:
    from autovoice.eval.protocol.columns import BY_KEY, GOALS
    from autovoice.eval.protocol.pairs import GROUPS

    rows = []
    for goal in GOALS:
        entry = per_group.get(goal.group, {}).get(goal.measure)
        measure = BY_KEY[goal.measure]
        cells: Sequence[str] = ("-", goal.wanted, "-")
        if entry is not None:
            least = measure.better == "higher"
            cells = against(entry["value"], goal.limit, measure.style, least=least)
        rows.append((measure.heading, GROUPS[goal.group], *cells))
    return table(["mean of", "over", "measured", "goal", "reached"], rows)


def _means(columns: Mapping[str, Means]) -> str:
    """Return every measure as a line; means over the pairs where it applies."""
    from autovoice.eval.protocol.columns import COLUMNS, printed

    rows = []
    for measure in COLUMNS:
        entries = [means.get(measure.key) for means in columns.values()]
        if any(entries):
            heading = f"{measure.heading}, {measure.unit}" if measure.unit else measure.heading
            cells = (printed(measure.key, entry["value"] if entry else None) for entry in entries)
            rows.append((heading, *cells))
    return table(["mean", *columns], rows)


def _pairs(rows: Sequence[Mapping[str, Any]]) -> str:
    from autovoice.eval.protocol.columns import BY_KEY, HEADLINE, printed, value

    lines = [
        (
            f"{row['source']} -> {row['target']}",
            *(printed(key, value(row, key)) for key in HEADLINE),
        )
        for row in rows
        if not row.get("error")
    ]
    return table(["pair", *(BY_KEY[key].heading for key in HEADLINE)], lines)
