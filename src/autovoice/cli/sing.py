"""``autovoice sing``: a score in, singing out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from autovoice.cli import options
from autovoice.cli.convert import make_engine
from autovoice.cli.folders import check_file
from autovoice.cli.speak import fetch_weights, read_lexicon
from autovoice.errors import InputError


@click.command()
@click.argument("score", metavar="SCORE", type=click.Path(path_type=Path))
@options.voice
@options.output
@click.option("--lang", "language", default="en-us", show_default=True, help="Of the words.")
@click.option(
    "--lyrics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Words instead of those of the score: hyphens part syllables, _ holds one on.",
)
@options.lexicon
@click.option(
    "--part",
    default="",
    metavar="NAME|N",
    help="Part to sing. Default: the first with words.",
)
@click.option(
    "--voice-part",
    default="",
    metavar="N",
    help="Line of a part that has several. Default: the one with most words.",
)
@click.option("--verse", type=click.IntRange(min=1), help="Default: the first, then by repeats.")
@click.option(
    "--tempo",
    type=float,
    metavar="X|BPM",
    help="Factor (0.1 to 4) or quarter notes a minute (10 to 1000). Default: as written.",
)
@click.option(
    "--semitones",
    default="auto",
    show_default=True,
    metavar="N|auto",
    help="Shift of the melody, -24 to 24; auto picks the octave that fits the voice.",
)
@click.option(
    "--vibrato",
    "vibrato_cents",
    type=click.FloatRange(0, 200),
    default=40.0,
    show_default=True,
    metavar="CENTS",
    help="How far the vibrato of long notes goes to either side.",
)
@click.option(
    "--vibrato-rate",
    "vibrato_hz",
    type=click.FloatRange(3, 9),
    default=5.5,
    show_default=True,
    metavar="HZ",
)
@click.option("--no-vibrato", is_flag=True, help="The same as --vibrato 0.")
@click.option(
    "--portamento",
    "portamento_ms",
    type=click.FloatRange(0, 500),
    default=80.0,
    show_default=True,
    metavar="MS",
    help="How long a glide from note to note takes.",
)
@click.option(
    "--backing",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also mix it with this recording, both from their beginning on.",
)
@options.running
def sing(  # noqa: PLR0917 - one argument for each option of the command
    score: Path,
    voice: str,
    output: Path,
    lyrics: Path | None,
    lexicon: Path | None,
    backing: Path | None,
    no_vibrato: bool,
    device: str,
    vram: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Sing a score in a voice.

    SCORE is MusicXML (.musicxml, .mxl, .xml) or MIDI (.mid, .kar) with words under the notes.
    """
    from autovoice.cli.progress import shown
    from autovoice.config import sing_options_from
    from autovoice.engine.singing import read_lyrics

    if no_vibrato:
        asked["vibrato_cents"] = 0.0
    sing_options_from(asked)
    check(score, output)
    words = {
        "lyrics": read_lyrics(lyrics) if lyrics is not None else None,
        "lexicon": read_lexicon(lexicon) if lexicon is not None else None,
    }
    fetch_weights()
    engine = make_engine(device, vram)
    target = engine.voice(voice)
    with shown(score.name) as listener:
        done = engine.sing(score, target, backing=backing, progress=listener, **words, **asked)
    done.save(output)
    _print(done, output, language=asked["language"], as_json=as_json)


def check(score: Path, output: Path) -> None:
    """Fail now rather than after minutes of work.

    Raises:
        InputError: there is no such score, or the output cannot hold it.
        ResourceError: the output folder cannot be written.
    """
    if not score.is_file():
        raise InputError(f"{score}: found no file, expected a score")
    check_file(output, 24_000, 1)


def _print(done: Any, output: Path, *, language: str, as_json: bool) -> None:
    if as_json:
        result = {"output": str(output), "language": language, **done.to_json()}
        click.echo(json.dumps(result, allow_nan=False, ensure_ascii=False))
        return
    total = done.timings["total"]
    click.echo(
        f"{output}: {done.seconds:.1f} s sung by {done.voice}, {done.phrases} phrases, "
        f"{done.semitones:+d} semitones, in {total:.1f} s on {done.device} "
        f"({total / max(done.seconds, 1e-9):.2f} x real time)"
    )
    for note in done.notes:
        click.echo(f"  note: {note}")
