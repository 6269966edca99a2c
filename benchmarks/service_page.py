"""The tables of the service in docs/benchmarks.md: one section for each load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks.page import Section, against

# name of the load: title, and what was done
TITLES = {
    "looking": (
        "The service: 100 requests for a job in flight",
        "Each of 100 connections asks for a job all the time, while two workers work.",
    ),
    "overload": (
        "The service under five times the load it can bear",
        "Songs come at five times the rate at which the engine ends jobs.",
    ),
    "sustained": (
        "The service with 100 users",
        "Each sends a song, looks at it until it is done, fetches the result, and again, with a "
        "request in flight all the time; all begin in one moment, with a hundred songs at once. "
        "Lost: accepted and not done, or done with another sound.",
    ),
    "sockets": (
        "1,000 live sessions that say nothing",
        "Memory that the processes of the service have for themselves alone (USS), above that "
        "before the first socket. Afterwards each session converts a chunk, all at once.",
    ),
}
# name of the load: words, where the figure is, its style, its goal (None: no goal), and whether
# the goal is a lower limit.
Row = tuple[str, str, str, float | None, bool]
ROWS: Mapping[str, Sequence[Row]] = {
    "looking": (
        ("answers/s", "requests_per_s", "{:.0f}", None, False),
        ("p50, ms", "p50_ms", "{:.1f}", None, False),
        ("p99, ms", "p99_ms", "{:.1f}", 50.0, False),
        ("worst, ms", "worst_ms", "{:.1f}", None, False),
        ("answers that were none", "other_answers", "{:.0f}", 0, False),
        ("cores: the API", "cores.api", "{:.2f}", None, False),
        ("cores: workers", "cores.worker", "{:.2f}", None, False),
        ("cores: supervisor (logs)", "cores.supervisor", "{:.2f}", None, False),
        ("cores: the client", "cores.client", "{:.2f}", None, False),
    ),
    "overload": (
        ("songs offered/s", "offered_per_s", "{:.1f}", None, False),
        ("refusals: p50, ms", "refused_p50_ms", "{:.1f}", None, False),
        ("refusals: p99, ms", "refused_p99_ms", "{:.1f}", 50.0, False),
        ("refusals: worst, ms", "refused_worst_ms", "{:.1f}", None, False),
        ("jobs done, against those done without the crowd", "goodput", "{:.2f}", 0.9, True),
    ),
    "sustained": (
        ("seconds", "seconds", "{:.0f}", None, False),
        ("requests/s", "requests_per_s", "{:.0f}", None, False),
        ("jobs accepted", "accepted", "{:.0f}", None, False),
        ("jobs done", "ended.done", "{:.0f}", None, False),
        ("jobs lost", "lost", "{:.0f}", 0, False),
        ("answers 5xx", "failures_5xx", "{:.0f}", 0, False),
        ("broken connections", "broken_connections", "{:.0f}", 0, False),
        ("`GET job`: p50, ms", "look.p50_ms", "{:.1f}", None, False),
        ("`GET job`: p99, ms", "look.p99_ms", "{:.1f}", 50.0, False),
        ("`GET job`: worst, ms", "look.worst_ms", "{:.1f}", None, False),
        ("`POST song`: p99, ms", "send.p99_ms", "{:.1f}", None, False),
        ("`GET result`: p99, ms", "fetch.p99_ms", "{:.1f}", None, False),
        ("the API's own memory before, MB", "api_mb.0", "{:.1f}", None, False),
        ("and after, MB", "api_mb.1", "{:.1f}", None, False),
        ("cores: the API", "cores.api", "{:.2f}", None, False),
        ("cores: the client", "cores.client", "{:.2f}", None, False),
    ),
    "sockets": (
        ("connected only: kB each", "connected.all", "{:.1f}", 100.0, False),
        ("in a session: kB each", "in_session.all", "{:.1f}", 100.0, False),
        ("of which the API", "in_session.api", "{:.1f}", None, False),
        ("of which the live engine", "in_session.live", "{:.1f}", None, False),
        ("sessions that still convert", "alive", "{:.0f}", 1000, True),
        ("all of them one chunk, s", "all_at_once_s", "{:.2f}", None, False),
    ),
}


def section(load: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Section:
    """Return the section of a load.

    Args:
        load: of ``ROWS``.
        found: the rounds of each checkout that was measured; ``this`` is among them.
    """
    title, words = TITLES[load]
    lines = [words, "", *_table(load, found)]
    rounds = len(found["this"])
    if rounds > 1:
        lines += ["", f"Medians of {rounds} rounds; in brackets the least and the most."]
    return Section(f"service-{load}", title, "\n".join(lines), {"rounds": found})


def _table(load: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    others = [name for name in found if name != "this"]
    heads = ["", "measured", "goal", "reached", *("before" for _ in others)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for words, place, style, goal, is_least in ROWS[load]:
        value = median(_values(found["this"], place))
        cells = ("", "", "") if goal is None else against(value, goal, style, least=is_least)
        shown = [_shown(found[name], place, style) for name in ("this", *others)]
        lines.append(f"| {' | '.join([words, shown[0], *cells[1:], *shown[1:]])} |")
    return lines


def _shown(rounds: Sequence[Mapping[str, Any]], place: str, style: str) -> str:
    values = _values(rounds, place)
    middle = style.format(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({style.format(min(values))} to {style.format(max(values))})"


def _values(rounds: Sequence[Mapping[str, Any]], place: str) -> list[float]:
    """Return a figure of each round, by the names that lead to it."""
    found = []
    for one in rounds:
        value: Any = one
        for name in place.split("."):
            value = value[int(name)] if isinstance(value, list) else value[name]
        found.append(float(value))
    return found
