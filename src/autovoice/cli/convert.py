"""``autovoice convert``: songs in, covers out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autovoice.cli import options
from autovoice.cli.cards import Judge, recording_named
from autovoice.cli.fetch import fetch_missing
from autovoice.cli.jobs import DEMO, Job, Report, plan_jobs
from autovoice.errors import AutoVoiceError


@click.command()
@click.argument("songs", metavar="SONG...", nargs=-1, required=True)
@options.voice
@click.option(
    "-o",
    "--output",
    required=True,
    help="File to write (wav, flac, mp3, ogg, opus), or a folder; a file there is replaced.",
)
@click.option(
    "--semitones",
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Shift of the melody, -24 to 24; auto picks the octave that fits the voice.",
)
@click.option("--no-separate", is_flag=True, help="The song is a voice alone: do not take it out.")
@click.option(
    "--stems",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write vocals.wav, backing.wav and converted.wav there.",
)
@click.option(
    "--preset",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write the result as <song>.json there, and its score card as <song>.html.",
)
@options.running
def convert(  # noqa: PLR0917 - one argument for each option of the command
    songs: tuple[str, ...],
    voice: str,
    output: str,
    semitones: str,
    no_separate: bool,
    stems: Path | None,
    device: str,
    vram: str | None,
    preset: str,
    report: Path | None,
    seed: int,
    as_json: bool,
) -> int:
    """Sing songs in another voice.

    SONG is a file (WAV, FLAC, MP3, OGG, Opus) or the word `demo`, the song that comes with
    AutoVoice (write ./demo for a file of that name). With many SONGs the output is a folder; a
    song that fails does not stop the others, and the exit code tells that one did.
    """
    from autovoice.config import options_from

    asked = {
        "semitones": semitones,
        "separate": not no_separate,
        "preset": preset,
        "seed": seed,
    }
    options_from({**asked, "device": device, "vram_bytes": vram})
    jobs = plan_jobs(songs, output, stems=stems, report=report)
    fetch_weights(jobs)
    engine = make_engine(device, vram)
    target = engine.voice(voice)
    judge = make_judge(engine, voice, target) if report is not None else None
    alone = len(jobs) == 1
    reports = [_run(engine, job, target, asked, judge, alone=alone) for job in jobs]
    _print(reports, as_json=as_json, alone=alone)
    return max(report.exit_code for report in reports)


def fetch_weights(jobs: Sequence[Job]) -> None:
    """Fetch what is missing, with a word about it, on the first call on a machine."""
    from autovoice import weights

    def check() -> None:
        if len(jobs) == 1 and jobs[0].song != DEMO:
            jobs[0].check()  # a song that cannot be read should not cost a download

    fetch_missing(weights.needed_by("convert"), first=check)


def make_engine(device: str, vram: str | None) -> Any:
    """Build the engine that serves all songs of the call."""
    from autovoice.engine import Engine

    return Engine(device, vram)


def make_judge(engine: Any, word: str, voice: Any) -> Judge:
    """Build what makes the cards of the call; its networks are loaded with the first card."""
    path = recording_named(word, engine.store)
    return Judge(engine.device, voice.name, path or voice.embedding)


def _run(
    engine: Any, job: Job, voice: Any, options: dict[str, Any], judge: Judge | None, *, alone: bool
) -> Report:
    """Convert one song; in a batch an error becomes part of the report."""
    from autovoice.cli.progress import shown

    try:
        job.check()
        with shown(job.label) as listener:
            conversion = engine.convert(job.source(), voice, progress=listener, **options)
            conversion = _scored(conversion, voice)
        report = job.write(conversion)
        return report if judge is None else job.judged(report, conversion, judge)
    except AutoVoiceError as error:
        if alone or error.exit_code == 130:
            raise
        click.echo(f"error: {job.label}: {error}", err=True)
        return Report(job.label, error=str(error), exit_code=error.exit_code)


def _scored(conversion: Any, voice: Any) -> Any:
    from autovoice.eval.summary import score

    return conversion.scored_by(score, voice.speaker.embedding)


def _print(reports: Sequence[Report], *, as_json: bool, alone: bool) -> None:
    if as_json:
        failed = [{"song": r.song, "error": r.error} for r in reports if r.error]
        results = [r.result for r in reports if r.result]
        value = results[0] if alone else {"results": results, "failed": failed}
        click.echo(json.dumps(value, allow_nan=False, ensure_ascii=False))
        return
    for report in reports:
        for line in report.lines():
            click.echo(line)
        for remark in report.remarks:
            click.echo(f"note: {remark}" if alone else f"note: {report.song}: {remark}", err=True)
    failures = sum(bool(report.error) for report in reports)
    if failures:
        click.echo(f"{failures} of {len(reports)} songs failed", err=True)
    sys.stdout.flush()
