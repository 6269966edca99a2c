"""A run of the stress set beside an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from autovoice.eval.stress.columns import COLUMNS, trouble

Row = Mapping[str, Any]
MOST_MOVED = 8


def compare(rows: Sequence[Row], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Compare place by place; a place counts where its sound is the same and both runs have it.

    Args:
        rows: of this run.
        earlier: as ``results.read`` returns it.

    Returns:
        ``matched`` and ``unmatched`` numbers of places; ``settings`` of the earlier run;
        ``changes`` by figure: mean error ``before`` and ``after`` over the places where both have
        it, how many became ``better`` and ``worse``; ``places``: each with its trouble before and
        after; ``moved``: the figures of single places that moved most, in units of what is
        noticed, worse (positive) or better.
    """
    old = {(row["name"], row["sha256"]): row for row in earlier["places"] if not row.get("error")}
    fine = [row for row in rows if not row.get("error")]
    pairs = [
        (old[row["name"], row["sha256"]], row)
        for row in fine
        if (row["name"], row["sha256"]) in old
    ]
    return {
        "settings": dict(earlier.get("settings", {})),
        "matched": len(pairs),
        "unmatched": len(rows) - len(pairs),
        "changes": _changes(pairs),
        "places": [_troubles(before, after) for before, after in pairs],
        "moved": _moved(pairs),
    }


def _troubles(before: Row, after: Row) -> dict[str, Any]:
    figures = before["figures"], after["figures"]
    return {"place": after["name"], "before": trouble(figures[0]), "after": trouble(figures[1])}


def _changes(pairs: Sequence[tuple[Row, Row]]) -> list[dict[str, Any]]:
    found = []
    for column in COLUMNS:
        key = column.measure.key
        both = [
            (column.error(before["figures"][key]), column.error(after["figures"][key]))
            for before, after in pairs
            if before["figures"].get(key) is not None and after["figures"].get(key) is not None
        ]
        if both:
            found.append(
                {
                    "measure": key,
                    "places": len(both),
                    "before": fmean(before for before, _ in both),
                    "after": fmean(after for _, after in both),
                    "better": sum(after < before for before, after in both),
                    "worse": sum(after > before for before, after in both),
                }
            )
    return found


def _moved(pairs: Sequence[tuple[Row, Row]]) -> list[dict[str, Any]]:
    found = []
    for before, after in pairs:
        for column in COLUMNS:
            key = column.measure.key
            was, now = before["figures"].get(key), after["figures"].get(key)
            if was is not None and now is not None:
                times = (column.error(now) - column.error(was)) / column.noticed
                entry = {"place": after["name"], "measure": key, "before": was, "after": now}
                found.append({**entry, "times_noticed": times})
    heard = [each for each in found if abs(each["times_noticed"]) >= 1.0]
    return sorted(heard, key=lambda each: -abs(each["times_noticed"]))[:MOST_MOVED]
