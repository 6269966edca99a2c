"""``autovoice live``: a file through a live session, as a microphone would send it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from autovoice.cli import options
from autovoice.cli.convert import make_engine
from autovoice.cli.fetch import fetch_missing


@click.command()
@click.argument("recording", metavar="IN", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--voice", required=True, help="Built-in name, stored voice, .voice file, or a recording."
)
@click.option("-o", "--output", required=True, help="File to write (wav, flac, mp3, ogg, opus).")
@click.option("--chunk-ms", type=float, default=100, show_default=True, help="10 to 2000.")
@click.option("--lookahead-ms", type=float, help="Later sound that is waited for. [default: 80]")
@click.option("--context-ms", type=float, help="Earlier sound that is seen. [default: 1500]")
@click.option("--render-ms", type=float, help="Earlier sound that is made anew. [default: 300]")
@click.option("--semitones", default="auto", show_default=True, metavar="N|auto", help="-24 to 24.")
@options.running
def live(  # noqa: PLR0917 - one argument for each option of the command
    recording: Path, voice: str, output: str, device: str, vram: str | None, as_json: bool,
    **given: Any,
) -> int:  # fmt: skip
    """Send a recording of one voice through a live session, chunk by chunk.

    The result is as long as the recording and in time with it. What is printed tells the delay that
    a listener would have had, and whether this machine keeps up.
    """
    from autovoice import io, weights
    from autovoice.engine.live.options import live_options_from
    from autovoice.types import Audio

    options = {name: value for name, value in given.items() if value is not None}
    live_options_from(options)
    audio = io.read(recording)
    fetch_missing(weights.needed_by("convert"))
    rate_hz = min(max(audio.sample_rate_hz, 8_000), 48_000)
    mono = io.resample(audio.mono()[None], audio.sample_rate_hz, rate_hz)[0]
    engine = make_engine(device, vram)
    with engine.session(voice, sample_rate_hz=rate_hz, **options) as session:
        made = session.convert_all(mono)
        report = _report(session, engine.device, output)
    io.write(Audio(made[None], rate_hz), output)
    _print(report, as_json=as_json)
    return 0


def _report(session: Any, device: str, output: str) -> dict[str, Any]:
    return {
        "output": str(output),
        "voice": session.voice.name,
        "device": device,
        "sample_rate_hz": session.options.sample_rate_hz,
        "chunk_ms": session.options.chunk_ms,
        "latency_samples": session.latency_samples,
        **session.stats.to_json(),
        "notes": list(session.notes),
    }


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, allow_nan=False, ensure_ascii=False))
        return
    click.echo(f"{report['output']}: {report['seconds']:.1f} s in the voice {report['voice']}")
    compute = ", ".join(f"{p} {report[f'compute_{p}_ms']:.0f}" for p in ("p50", "p95", "p99"))
    click.echo(
        f"latency {report['algorithmic_ms']:.0f} ms, and compute {compute} ms per chunk of "
        f"{report['chunk_ms']:g} ms on {report['device']}"
    )
    click.echo(
        f"{report['realtime_factor']:.2f} seconds of work per second of sound; "
        f"{report['underruns']} of {report['chunks']} chunks came late"
    )
    for note in report["notes"]:
        click.echo(f"note: {note}", err=True)
    sys.stdout.flush()
