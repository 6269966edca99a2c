"""``autovoice voice train``: train a voice on recordings of one person."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autovoice.train.voice.run import Trained
    from autovoice.train.voice.scan import FileReport
    from autovoice.voices import TrainingRecord

_FILE = click.Path(path_type=Path)
_LINE_EVERY_S = 10.0
_ROWS = (
    ("similarity", "similarity", "{:.3f}"),
    ("cer", "character errors", "{:.3f}"),
    ("words_gap", "words, feature gap", "{:.3f}"),
    ("distillmos", "DistillMOS", "{:.2f}"),
)


@click.command()
@click.argument("name")
@click.argument("recordings", nargs=-1, required=True, type=_FILE)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0),
    help="Limit for everything. Default: 3 on a GPU, 40 on the CPU. 0 keeps what an interrupted "
    "training has reached.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Limit of training steps.")
@click.option("--scan-only", is_flag=True, help="Only look at the recordings and report.")
@click.option("--consent", default="", help="The statement by which the speaker agreed; kept.")
@click.option("--licence", default="", help="What others may do with the voice; kept.")
@click.option("--description", default="", help="Free words for the list.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--seed", type=int, default=0, show_default=True, help="Of every draw.")
@click.option("--force", is_flag=True, help="Replace a trained voice of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(  # noqa: PLR0917 - one argument for each option
    name: str,
    recordings: tuple[Path, ...],
    minutes: float | None,
    steps: int | None,
    scan_only: bool,
    consent: str,
    licence: str,
    description: str,
    device: str,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Train the voice NAME on RECORDINGS of one person (10 s or more, 60 s work best).

    What is best on held-out recordings is kept. Ctrl-C saves; the same command goes on.
    """
    from autovoice.engine import devices
    from autovoice.train.voice.request import Request
    from autovoice.train.voice.run import train_voice
    from autovoice.voices import VoiceStore

    if scan_only:
        _scan_only(recordings, device, as_json)
        return
    request = Request(
        name, recordings, minutes, devices.choose(device).device,
        consent, licence, description, steps, seed, force,
    )  # fmt: skip
    with _told() as listener:
        try:
            done = train_voice(request, VoiceStore.default(), listener=listener)
        except KeyboardInterrupt:
            click.echo(
                "training is saved: the same command goes on, with --minutes 0 it keeps what is "
                "reached",
                err=True,
            )
            raise
    _show(done, as_json)


def _scan_only(recordings: tuple[Path, ...], device: str, as_json: bool) -> None:
    from autovoice.engine import devices
    from autovoice.train.voice.scan import scan
    from autovoice.voices import encoders_on

    found = scan(list(recordings), encoders_on(devices.choose(device).device), least_s=0.0)
    if as_json:
        rows = found.as_json()
        click.echo(json.dumps({"recordings": rows, "used_s": round(found.seconds, 3)}))
        return
    for report in found.reports:
        click.echo("\n".join(report_lines(report)))
    click.echo(f"{found.seconds:.1f} s can be used")


def _show(done: Trained, as_json: bool) -> None:
    header = done.voice.header
    if as_json:
        record = {
            "voice": header.name,
            "path": str(done.path),
            "gained": done.gained,
            "resumed_at": done.resumed_at,
            "training": done.record.model_dump(),
            "recordings": done.scan.as_json(),
            "notes": done.notes,
        }
        click.echo(json.dumps(record))
        return
    for report in done.scan.reports:
        click.echo("\n".join(report_lines(report)))
    click.echo("\n".join(card_lines(done.record)))
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"{header.name}: kept in {done.path}")
    if not header.consent:
        click.echo("note: no consent is recorded; add it with --consent TEXT --force", err=True)


def report_lines(report: FileReport) -> list[str]:
    """Tell what was found in a recording: a line, and one for each problem."""
    found = report.measured
    figures = ""
    if found is not None:
        noise = "" if found.snr_db is None else f", {found.snr_db:.0f} dB over the noise"
        figures = f" of {found.seconds:.1f} s, {found.level_dbfs:.0f} dBFS{noise}"
    lines = [f"{Path(report.name).name}: {report.verdict}, {report.used_s:.1f} s{figures}"]
    pairs = zip(report.problems, report.advice, strict=True)
    return lines + [f"  {problem}: {advice}" for problem, advice in pairs]


def card_lines(record: TrainingRecord) -> list[str]:
    """Draw the table of a training: before, after, and the recordings themselves."""
    lines = [
        f"trained on {record.seconds_trained:.0f} s in {record.minutes:.1f} min "
        f"({record.device}), best at step {record.best_step} of {record.steps}, "
        f"strength {record.strength:.2f}",
        f"held out {record.seconds_held_out:.0f} s and words of others, converted:",
        f"{'':<20}{'before':>8}{'after':>8}{'recordings':>12}",
    ]
    for key, label, form in _ROWS:
        values = [getattr(one, key) for one in (record.before, record.after, record.recordings)]
        if any(value is not None for value in values):
            cells = ["-" if value is None else form.format(value) for value in values]
            lines.append(f"{label:<20}{cells[0]:>8}{cells[1]:>8}{cells[2]:>12}")
    return lines


@contextlib.contextmanager
def _told() -> Iterator[Callable[[str, float, float | None, str], None]]:
    """Draw bars on a terminal; elsewhere write a line to stderr now and then."""
    from autovoice.cli.progress import shown
    from autovoice.engine import Progress

    with shown("voice training") as bars:
        lines = _Lines()

        def tell(stage: str, done: float, left_s: float | None, text: str) -> None:
            if bars is None:
                lines(stage, done, left_s, text)
            else:
                bars(Progress(stage, done, done, left_s))

        yield tell


class _Lines:
    """One line for each stage, then one every ten seconds."""

    def __init__(self) -> None:
        self._stage, self._at = "", 0.0

    def __call__(self, stage: str, done: float, left_s: float | None, text: str) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._at < _LINE_EVERY_S:
            return
        self._stage, self._at = stage, now
        left = "" if left_s is None else f", {int(left_s) // 60}:{int(left_s) % 60:02d} left"
        click.echo(f"{stage:<8}{done:>5.0%}{left}{', ' if text else ''}{text}", err=True)


def summary(record: TrainingRecord) -> str:
    """Tell in a few words what a training brought, for lists."""
    before, after = record.before.similarity, record.after.similarity
    return f"trained, similarity {before:.2f} -> {after:.2f}"
