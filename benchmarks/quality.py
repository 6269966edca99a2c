"""The development protocol as a section of the page: pitch, similarity and words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import Section, against, table
from benchmarks.process import python
from benchmarks.summarise import markdown

# Measure, what it is called, how it is printed, its goal, whether that is a lower limit.
GOALS = (
    ("median_cents", "median pitch error, cents", "{:.1f}", 10.0, False),
    ("within_50_cents", "share within 50 cents", "{:.3f}", 0.93, True),
    ("cer", "character error rate", "{:.3f}", 0.25, False),
    ("similarity_gain", "similarity above the floor", "{:+.3f}", 0.08, True),
)


def protocol(out: Path, words: Sequence[str] = ()) -> Section:
    """Run ``python -m benchmarks.protocol`` in a process of its own and sum it up.

    Args:
        out: its folder; a run that was cut off there goes on.
        words: more arguments for it.
    """
    python("-m", "benchmarks.protocol", "--out", str(out), *words)
    return section(json.loads((out / "results.json").read_text(encoding="utf-8")))


def section(results: Mapping[str, Any]) -> Section:
    """Sum up what a run of the protocol found."""
    found = results["mean"]
    rows = [
        (name, *_cells(found.get(key), goal, style, least))
        for key, name, style, goal, least in GOALS
    ]
    goals = table(["mean over all pairs", "measured", "goal", "reached"], rows)
    return Section(
        "protocol",
        f"Quality: the development protocol ({len(results['pairs'])} pairs, zero-shot voices)",
        f"{goals}\n\n{markdown(results['pairs'], {'device': results['about']['device']})}",
        {key: value for key, value in results.items() if key != "about"},
    )


def _cells(value: float | None, goal: float, style: str, least: bool) -> tuple[str, ...]:
    return ("-", "-", "-") if value is None else against(value, goal, style, least=least)
