"""``autovoice eval --stress``: convert places at which converters fail, and measure the faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autovoice.cli.fetch import fetch_missing

if TYPE_CHECKING:
    from autovoice.eval.protocol.items import Item
    from autovoice.eval.stress import Place

FAILED = 1
MOST_SEMITONES = 24


def run_stress(
    voice: str,
    *,
    folder: Path | None,
    report: Path | None,
    device: str,
    semitones: float,
    compare: Path | None,
    only: tuple[str, ...],
    as_json: bool,
) -> int:
    """Convert and measure the stress set, print its tables and write ``stress.json``.

    Args:
        voice: built-in name, stored voice, ``.voice`` file or recording.
        folder: an evaluation folder, of whose recordings the hardest places are cut too.
        report: folder for ``stress.json`` and ``stress.html``; None writes nothing.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        semitones: shift of every melody, a whole number from -24 to 24.
        compare: ``stress.json`` of an earlier run, or its folder.
        only: keep only places of these names; ``*`` stands for anything.
        as_json: print one JSON object instead of the tables.

    Returns:
        0, or 1 when a place failed.

    Raises:
        InputError: an option, the folder or the earlier run cannot be used.
        VoiceError: there is no such voice.
    """
    from autovoice import weights
    from autovoice.eval.protocol import read_items
    from autovoice.eval.stress import results, run

    shift = _whole(semitones)
    earlier = None if compare is None else results.read(compare)
    items = () if folder is None else read_items(folder)
    fetch_missing(weights.needed_by("convert"))
    engine = make_engine(device)
    target = engine.voice(voice)
    places = chosen_places(items, only)
    rows = run(engine, target, places, semitones=shift, progress=_say(len(places)))
    asked: Any = {"voice": target.name, "folder": folder, "semitones": shift, "only": only}
    found = _summed(rows, device=engine.device, **asked)
    _finish(found, earlier, report, as_json=as_json)
    return FAILED if found["counts"]["failed"] else 0


def _summed(
    rows: Sequence[Mapping[str, Any]],
    *,
    device: str,
    voice: str,
    folder: Path | None,
    semitones: int,
    only: Sequence[str],
) -> dict[str, Any]:
    """Return the results, with what they were made on and with."""
    from autovoice.eval.protocol.about import about_run
    from autovoice.eval.stress import results

    settings = {
        "voice": voice,
        "semitones": semitones,
        "folder": None if folder is None else folder.name,
        "only": list(only),
    }
    about = about_run(device, _command(voice, folder, semitones, only))
    return results.results(rows, about, settings)


def make_engine(device: str) -> Any:
    """Build what converts."""
    from autovoice.engine import Engine

    return Engine(device)


def chosen_places(items: Sequence[Item], only: Sequence[str]) -> list[Place]:
    """Make and cut the places whose names fit one of the patterns; none keeps all.

    Raises:
        InputError: a pattern fits nothing.
    """
    from autovoice.errors import InputError
    from autovoice.eval.stress import cut_places, made, made_scores

    scores, cuts = made_scores(), cut_places(items)
    names = [*(score.name for score in scores), *(place.name for place in cuts)]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"--only {pattern!r} fits no place; there are {', '.join(names)}")

    def wanted(name: str) -> bool:
        return not only or any(fnmatchcase(name, pattern) for pattern in only)

    kept = [made(score) for score in scores if wanted(score.name)]
    return kept + [place for place in cuts if wanted(place.name)]


def _whole(semitones: float) -> int:
    from autovoice.errors import InputError

    if semitones != round(semitones) or abs(semitones) > MOST_SEMITONES:
        raise InputError(
            f"--semitones: found {semitones:g}, expected a whole number from {-MOST_SEMITONES} to "
            f"{MOST_SEMITONES}"
        )
    return round(semitones)


def _finish(
    found: dict[str, Any],
    earlier: Mapping[str, Any] | None,
    report: Path | None,
    *,
    as_json: bool,
) -> None:
    """Write the files where they are wanted, and say what was found."""
    from autovoice.eval.stress import results
    from autovoice.eval.stress.compare import compare
    from autovoice.eval.stress.page import write_page

    if report is not None:
        results.write(found, report)
    if earlier is not None:
        found["comparison"] = compare(found["places"], earlier)
    files = {}
    if report is not None:
        files = {"json": str(results.write(found, report)), "page": str(write_page(found, report))}
    if as_json:
        value = {**found, **({"report": files} if files else {})}
        click.echo(json.dumps(value, allow_nan=False, ensure_ascii=False))
        return
    for line in summary_lines(found):
        click.echo(line)
    if files:
        click.echo(f"report: {files['page']}")


def summary_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield tables, the worst places and, where there is one, the comparison."""
    from autovoice.eval.stress.tables import comparison_lines, tables, worst_lines

    for table in tables(found):
        heads = [
            f"{column.head}, {column.measure.unit}" if column.measure.unit else column.head
            for column in table.columns
        ]
        lines = [
            (table.title, *heads),
            *((name, *texts) for name, texts in table.lines),
            ("mean error", *table.errors),
        ]
        yield from _columns(lines)
        yield ""
    yield "worst places"
    yield from (f"  {line}" for line in worst_lines(found))
    if "comparison" in found:
        yield ""
        yield from comparison_lines(found["comparison"])
    counts = found["counts"]
    yield f"{counts['done']} of {counts['places']} places done, {counts['failed']} failed"


def _say(total: int) -> Callable[[int, Place, Mapping[str, Any] | None], None]:
    """Return a listener that writes a line to stderr for each place that was done."""

    def listener(done: int, place: Place, row: Mapping[str, Any] | None) -> None:
        if row is not None:
            said = f"failed: {row['error']}" if row["error"] else f"{row['trouble']:.1f} of 10"
            click.echo(f"{done}/{total} {place.name}: {said}", err=True)

    return listener


def _command(voice: str, folder: Path | None, semitones: int, only: Sequence[str]) -> str:
    """Return what repeats the run; folders of this machine are no part of it."""
    words = [f"autovoice eval --stress --voice {voice}"]
    words += [f"--protocol {folder.name}"] if folder is not None else []
    words += [f"--semitones {semitones}"] if semitones else []
    words += [f"--only '{pattern}'" for pattern in only]
    return " ".join(words)


def _columns(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
