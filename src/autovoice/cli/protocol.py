"""``autovoice eval --protocol``: convert and judge a whole evaluation folder."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from autovoice.eval.protocol import Item, Pair, Standing

PAIRS = ("quick", "full")
FAILED = 1


def run_protocol(
    folder: Path,
    *,
    pairs: str,
    report: Path,
    device: str,
    compare: Path | None,
    seconds: float | None,
    only: tuple[str, ...],
    cards: bool,
    fresh: bool,
    as_json: bool,
) -> int:
    """Run the protocol, write the report and print its summary.

    Args:
        folder: with ``manifest.csv`` and the recordings.
        pairs: ``quick`` (eight pairs, 12 s of each source) or ``full`` (every pair, all of it).
        report: folder to write; a run that was cut off there goes on.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        compare: ``results.json`` of an earlier run, or its folder.
        seconds: convert at most so much of each source, where the most is going on.
        only: keep only pairs whose source, target or name fits one of these patterns.
        cards: also write each pair's page; a quick run always does.
        fresh: forget what an earlier run found.
        as_json: print one JSON object instead of the table.

    Returns:
        0, or 1 when a pair failed.
    """
    from autovoice.eval.protocol import quick, read_items, results

    earlier = None if compare is None else results.read(compare)
    items = read_items(folder)
    chosen = _chosen(items, pairs, only)
    command = _command(folder, pairs, only, device, seconds)
    is_quick = pairs == "quick"
    if seconds is None and is_quick:
        seconds = quick.SECONDS
    settings = {"pairs": pairs, "seconds": seconds, "only": list(only)}
    _fetch_weights()
    options = {"items": items, "seconds": seconds, "cards": cards or is_quick, "fresh": fresh}
    rows, about = _converted(chosen, report, device, command, options)
    found = results.results(rows, about, settings)
    _finish(found, rows, earlier, report, as_json=as_json)
    return FAILED if found["counts"]["failed"] else 0


def _converted(
    chosen: Sequence[Pair],
    report: Path,
    device: str,
    command: str,
    options: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Run the pairs and return their rows, and what they were made with."""
    from autovoice.eval.protocol import Run
    from autovoice.eval.protocol.about import about_run, commit, made_with

    engine, scorer = make_engine_and_scorer(device)
    with shown() as listener:
        run = Run(
            engine,
            scorer,
            report,
            commit=commit(),
            made_with=made_with(engine.device),
            progress=listener,
            **options,
        )
        try:
            rows = run.pairs(chosen)
        except KeyboardInterrupt:
            click.echo("stopped; the same command goes on from here", err=True)
            raise
    return rows, about_run(engine.device, command)


def _finish(
    found: dict[str, Any],
    rows: Sequence[Mapping[str, Any]],
    earlier: Mapping[str, Any] | None,
    report: Path,
    *,
    as_json: bool,
) -> None:
    """Write the files of a report and say what is in it."""
    from autovoice.eval.protocol import results
    from autovoice.eval.protocol.compare import compare
    from autovoice.eval.protocol.page import write_page

    results.write(found, report)
    if earlier is not None:
        found["comparison"] = compare(rows, earlier).to_json()
        results.write(found, report)
    page = write_page(found, report)
    if as_json:
        summary = {key: each for key, each in found.items() if key != "pairs"}
        click.echo(json.dumps({**summary, "report": str(page)}, allow_nan=False))
        return
    for line in summary_lines(found):
        click.echo(line)
    click.echo(f"report: {page}")


def make_engine_and_scorer(device: str) -> tuple[Any, Any]:
    """Build what converts and what judges."""
    from autovoice.engine import Engine
    from autovoice.eval.scorer import Scorer

    engine = Engine(device)
    return engine, Scorer(device=engine.device)


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """Return means by group, verdicts of gates and, where there is one, the comparison."""
    from autovoice.eval.protocol.columns import BY_KEY, HEADLINE, printed
    from autovoice.eval.protocol.compare import heading as compared
    from autovoice.eval.protocol.compare import printed_end
    from autovoice.eval.protocol.results import group_heads

    everyone, heads = group_heads(found)
    groups = {group: found["per"]["group"][group] for group in heads}
    lines = [("mean", everyone, *heads.values())]
    for key in HEADLINE:
        if key in found["mean"]:
            unit = BY_KEY[key].unit
            heading = f"{BY_KEY[key].heading}, {unit}" if unit else BY_KEY[key].heading
            means = [found["mean"], *groups.values()]
            lines.append(
                (heading, *(printed(key, each.get(key, {}).get("value")) for each in means))
            )
    text = _columns(lines)
    for gate in found["gates"]:
        counts = (
            f"{gate['pass']} pass, {gate['fail']} fail, {gate['not applicable']} not applicable"
        )
        text.append(f"gate {gate['name']} {gate['wanted']}: {counts}")
    for change in found.get("comparison", {}).get("changes", ()):
        if change["verdict"] in {"better", "worse"}:
            key = change["measure"]
            was, now = (printed_end(key, change[end]) for end in ("before", "after"))
            text.append(f"{change['verdict']}: {compared(key)} {was} -> {now}")
    counts = found["counts"]
    text.append(f"{counts['done']} of {counts['pairs']} pairs done, {counts['failed']} failed")
    return text


def _chosen(items: Sequence[Item], pairs: str, only: tuple[str, ...]) -> list[Pair]:
    from autovoice.errors import InputError
    from autovoice.eval.protocol import all_pairs, only_named, quick_pairs

    if pairs not in PAIRS:
        raise InputError(f"--pairs: found {pairs!r}, expected {' or '.join(PAIRS)}")
    every = all_pairs(items)
    if not every:
        raise InputError(
            "the manifest makes no pair: expected recordings of kind acapella or song_mix, and "
            "speech_ref of people who do not sing there"
        )
    return only_named(quick_pairs(items, every) if pairs == "quick" else every, only)


def _fetch_weights() -> None:
    """Fetch what is missing, with a word about it, on the first call on a machine."""
    from autovoice import weights
    from autovoice.cli.models import progress_bars

    needed = dict.fromkeys((*weights.needed_by("convert"), *weights.needed_by("eval")))
    missing = [name for name in needed if weights.status(name).state != "ready"]
    if missing:
        click.echo(f"fetching weights, this once: {', '.join(missing)}", err=True)
        with progress_bars() as progress:
            weights.pull(missing, progress=progress)


def _command(
    folder: Path, pairs: str, only: tuple[str, ...], device: str, seconds: float | None
) -> str:
    """Return what repeats the run; folders of this machine are no part of it."""
    place = folder.name if folder.is_absolute() else folder.as_posix()
    words = ["autovoice eval --protocol", place, "--pairs", pairs, "--report DIR"]
    words += [f"--device {device}"] if device != "auto" else []
    words += [f"--seconds {seconds:g}"] if seconds is not None else []
    words += [f"--only '{pattern}'" for pattern in only]
    return " ".join(words)


@contextlib.contextmanager
def shown(console: Console | None = None) -> Iterator[Callable[[Standing], None]]:
    """Yield a listener that draws one bar on stderr, or writes a line per pair to no terminal.

    Args:
        console: where to draw. Default: stderr, if it is a terminal.
    """
    if console is None and not sys.stderr.isatty():
        yield _say
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console or Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        def listener(standing: Standing) -> None:
            if standing.row is not None:
                bars.console.print(escape(_line(standing)), highlight=False)
            name = standing.pair.name if standing.pair is not None else ""
            bars.update(
                task,
                total=standing.total,
                completed=standing.done,
                description=escape(f"{_times(standing)}  {name}"),
                refresh=True,
            )

        yield listener


def _say(standing: Standing) -> None:
    if standing.row is not None:
        click.echo(f"{_line(standing)} ({_times(standing)})", err=True)


def _line(standing: Standing) -> str:
    """Return what is said of a pair that was done."""
    from autovoice.eval.protocol.columns import BY_KEY, printed

    row, name = standing.row or {}, standing.pair.name if standing.pair is not None else ""
    head = f"{standing.done}/{standing.total} {name}:"
    if row.get("error"):
        return f"{head} failed: {row['error']}"
    keys = ("pitch_within_50_cents", "similarity_target", "cer", "distillmos")
    figures = (f"{BY_KEY[key].heading} {printed(key, row['figures'].get(key))}" for key in keys)
    return f"{head} {', '.join(figures)}"


def _times(standing: Standing) -> str:
    left_s = standing.seconds_left
    left = "" if left_s is None else f", {_clock(left_s)} left"
    return f"{_clock(standing.seconds)}{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes}:{rest:02d}"
        if minutes < 60
        else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    )


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
