"""``report.html``: what a run found, on one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from autovoice.eval.protocol.columns import BY_KEY, GOALS, HEADLINE, Row, printed, value
from autovoice.eval.protocol.compare import heading, printed_end
from autovoice.eval.protocol.results import group_heads, pair_name
from autovoice.eval.report.template import render, write_text

FILE = "report.html"
CARDS = "cards"
# Measures that get a map of sources and targets, with what is painted as best and as worst. The
# scale is fixed, so that the maps of two runs can be laid side by side.
MAPS = {
    "similarity_gain": (0.30, 0.0),
    "pitch_within_50_cents": (1.0, 0.7),
    "cer": (0.0, 0.6),
    "distillmos": (4.3, 2.5),
}
TILES = ("pitch_within_50_cents", "similarity_target", "similarity_gain", "cer", "distillmos")
LISTED = ("pitch_rmse_hz", "pitch_within_50_cents", "similarity_target", "similarity_gain",
          "similarity_source", "cer", "distillmos", "dnsmos_ovrl", "realtime_factor")  # fmt: skip
_SHADES = 6
_HEADING_WIDTH = 10
_OWN, _ITSELF = "own speech", "itself"
_CROWD = 40  # a full run; in a quick one most targets serve one source


def write_page(found: Mapping[str, Any], folder: Path) -> Path:
    """Write ``report.html`` into the folder of a run and return its path.

    Args:
        found: as ``results.results`` returns it, maybe with ``comparison`` of ``compare``.
        folder: of the run; a page in ``cards/`` is linked where the row names it as its own.
    """
    text = page(found, {path.stem for path in (folder / CARDS).glob("*.html")})
    return write_text(folder / FILE, text)


def page(found: Mapping[str, Any], cards: set[str] | frozenset[str] = frozenset()) -> str:
    """Return the page.

    Args:
        found: see ``write_page``.
        cards: names of the pages in ``cards/``, without ``.html``.
    """
    links = {pair_name(row): link(row, cards) for row in found["pairs"]}
    fine = [row for row in found["pairs"] if not row.get("error")]
    values = {
        "title": f"AutoVoice evaluation: {found['counts']['pairs']} pairs",
        "found": found,
        "facts": {**found["about"], **_settings(found["settings"])},
        "failures": [row for row in found["pairs"] if row.get("error")],
        "tiles": [_tile(key, found) for key in TILES if key in found["mean"]],
        "means": _means(found),
        "maps": [_map(key, fine) for key in MAPS if key in found["mean"]],
        "means_per": {part: _table_of(found["per"][part]) for part in ("source", "target")},
        "worst": [
            (BY_KEY[key].heading, links.get(entry["pair"], entry["pair"]), _figure(key, entry))
            for key, entry in found["worst"].items()
        ],
        "listed": [_stacked(key) for key in LISTED],
        "rows": [_line(row, links) for row in fine],
        "comparison": _comparison(found.get("comparison"), links),
        "name": pair_name,
    }
    return render("protocol.html", values, folder=Path(__file__).parent)


def link(row: Row, cards: set[str] | frozenset[str]) -> Markup:
    """Return the name of a pair, as a link where the page that was written with it is there."""
    own, name = row.get("page"), pair_name(row)
    if own not in cards:
        return Markup("{}").format(name)
    return Markup('<a href="{}/{}.html">{}</a>').format(CARDS, quote(str(own)), name)


def heat(key: str, number: float | None) -> str:
    """Return the class of a cell: ``heat-0`` as good as the best of the scale, ``heat-6`` worst."""
    if number is None:
        return "heat-na"
    if key not in MAPS:
        return ""
    best, worst = MAPS[key]
    share = min(1.0, max(0.0, (number - best) / (worst - best)))
    return f"heat-{round(share * _SHADES)}"


def _soft(name: str) -> Markup:
    """Escape a file's name and let it break after underscores, which are long words else."""
    return Markup("_<wbr>").join(name.split("_"))


def _stacked(key: str) -> Markup:
    """Return a heading in short lines, so that a column is no wider than its numbers."""
    measure = BY_KEY[key]
    words = f"{measure.heading}, {measure.unit}" if measure.unit else measure.heading
    return Markup("<br>").join(wrap(words, _HEADING_WIDTH, break_long_words=False))


def _settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what was asked for in words."""
    seconds = settings.get("seconds")
    part = "all of it" if seconds is None else f"the most active {seconds:g} s"
    return {"pairs": str(settings.get("pairs", "-")), "of each source": part}


def _figure(key: str, entry: Mapping[str, Any]) -> str:
    unit = BY_KEY[key].unit
    return f"{printed(key, entry['value'])} {unit}".rstrip()


def _tile(key: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a headline figure: the mean of all pairs, the median and how many have it."""
    entry = found["mean"][key]
    return {
        "name": BY_KEY[key].heading,
        "value": printed(key, entry["value"]),
        "unit": BY_KEY[key].unit,
        "note": f"mean of {entry['pairs']} pairs; median "
        f"{printed(key, found['median'][key]['value'])}",
    }


def _means(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of means by group, with what the design sets as goals."""
    everyone_head, groups = group_heads(found)
    rows = []
    for key in HEADLINE:
        if key in found["mean"]:
            cells = [_goal_cell(key, name, found["per"]["group"][name]) for name in groups]
            everyone = {"text": printed(key, found["mean"][key]["value"]), "status": "", "note": ""}
            rows.append({"measure": BY_KEY[key], "cells": [everyone, *cells]})
    return {"heads": [everyone_head, *groups.values()], "rows": rows}


def _goal_cell(key: str, group: str, means: Mapping[str, Any]) -> dict[str, str]:
    entry = means.get(key)
    goal = next((goal for goal in GOALS if (goal.measure, goal.group) == (key, group)), None)
    if entry is None:
        return {"text": "-", "status": "", "note": ""}
    text = printed(key, entry["value"])
    if goal is None:
        return {"text": text, "status": "", "note": ""}
    status = "pass" if goal.reached(entry["value"]) else "fail"
    sign = "reached" if status == "pass" else "missed"
    return {
        "text": text,
        "status": status,
        "note": f"goal {goal.wanted}, {sign}".replace("<=", "≤").replace(">=", "≥"),
    }


def _map(key: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return one measure as a table of sources and targets."""
    column = _columns(rows)
    sources = list(dict.fromkeys(row["source"] for row in rows))
    targets = sorted(dict.fromkeys(column.values()), key=lambda name: name in {_OWN, _ITSELF})
    cell = {(row["source"], column[id(row)]): row for row in rows}
    best, worst = (printed(key, end) for end in MAPS[key])
    return {
        "measure": BY_KEY[key],
        "scale": f"from {best} (pale) to {worst} (dark)",
        "targets": [_soft(name) for name in targets],
        "rows": [
            (_soft(name), [_cell(key, cell.get((name, target))) for target in targets])
            for name in sources
        ],
    }


def _columns(rows: Sequence[Row]) -> dict[int, str]:
    """Return the column of each row: its target; what serves its own singer alone shares one."""
    users: dict[str, set[str]] = {}
    for row in rows:
        users.setdefault(row["target"], set()).add(row["source"])
    found = {}
    for row in rows:
        lone = len(rows) > _CROWD and users[row["target"]] == {row["source"]}
        own = _ITSELF if row["source"] == row["target"] else _OWN if lone else None
        found[id(row)] = own or row["target"]
    return found


def _cell(key: str, row: Row | None) -> dict[str, Any]:
    number = None if row is None else value(row, key)
    return {"text": "" if row is None else printed(key, number), "class": heat(key, number)}


def _table_of(means: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of the table per source or per target."""
    return [
        {
            "name": _soft(name),
            "cells": [
                {"text": printed(key, number), "class": heat(key, number)}
                for key in LISTED
                for number in [entries[key]["value"] if key in entries else None]
            ],
        }
        for name, entries in means.items()
    ]


def _line(row: Row, links: Mapping[str, Markup]) -> dict[str, Any]:
    failed = [gate["name"] for gate in row.get("gates", ()) if gate["status"] == "fail"]
    passed = sum(gate["status"] == "pass" for gate in row.get("gates", ()))
    return {
        "link": links[pair_name(row)],
        "group": row["group"],
        "semitones": f"{row['semitones']:+g}",
        "cells": [
            {"text": printed(key, value(row, key)), "class": heat(key, value(row, key))}
            for key in LISTED
        ],
        "gates": ", ".join(failed) or (f"{passed} passed" if passed else "none applies"),
        "status": "fail" if failed else "pass" if passed else "na",
    }


def _comparison(
    found: Mapping[str, Any] | None, links: Mapping[str, Markup]
) -> dict[str, Any] | None:
    if found is None:
        return None
    changes = [{**change, **_shown(change)} for change in found["changes"]]
    worst = [
        {
            "link": links.get(loser["pair"], loser["pair"]),
            "by": BY_KEY[loser["by"]].heading,
            "before": printed(loser["by"], loser["before"]),
            "after": printed(loser["by"], loser["after"]),
            "loss": f"{loser['loss']:.2f}",
        }
        for loser in found["worst"]
    ]
    return {**found, "changes": changes, "worst": worst}


def _shown(change: Mapping[str, Any]) -> dict[str, str]:
    """Return a change as the table shows it; differences have a sign, and one digit more."""
    measure = BY_KEY[change["measure"]]
    digits = int(measure.style.partition(".")[2][0]) + 1  # the style of every measure is {:.Nf}

    def signed(number: float | None) -> str:
        return "-" if number is None else f"{number:+.{digits}f}"

    interval = "-"
    if change["low"] is not None:
        interval = f"{signed(change['low'])} to {signed(change['high'])}"
    tone = {"better": "up", "worse": "down"}.get(change["verdict"], "muted")
    return {
        "heading": heading(measure.key),
        "unit": measure.unit,
        "old": printed_end(measure.key, change["before"]),
        "new": printed_end(measure.key, change["after"]),
        "moved": signed(change["difference"]),
        "interval": interval,
        "tone": tone,
    }
