"""``autovoice speak``: text in, speech out."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autovoice.cli import options
from autovoice.cli.convert import make_engine
from autovoice.cli.fetch import fetch_missing
from autovoice.errors import InputError

if TYPE_CHECKING:
    from autovoice.cli.spoken import Order

STDIN = "-"


@click.command()
@click.argument("text", metavar="TEXT|-")
@options.voice
@options.output
@click.option(
    "--speed",
    type=click.FloatRange(0.5, 2.0),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Rate of speech, 0.5 to 2; the pitch stays.",
)
@click.option("--lang", "language", default="en-us", show_default=True, help="Of the text.")
@options.lexicon
@click.option("--ssml/--plain", default=None, help="Is the text markup? Default: look.")
@click.option(
    "--chapters",
    is_flag=True,
    help="Speak chapter by chapter and keep them in OUT.chapters; done ones are not done again.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write the result as <out>.json there, and its score card as <out>.html.",
)
@options.running
def speak(  # noqa: PLR0917 - one argument for each option of the command
    text: str,
    voice: str,
    output: Path,
    speed: float,
    language: str,
    lexicon: Path | None,
    ssml: bool | None,
    chapters: bool,
    report: Path | None,
    device: str,
    vram: str | None,
    seed: int,
    as_json: bool,
) -> int:
    """Say a text in a voice.

    TEXT is what to say, or - for standard input (UTF-8), which may be a whole book: it is spoken
    sentence by sentence in constant memory, and the file appears when it is whole.
    """
    from autovoice.cli import spoken
    from autovoice.config import speak_options_from
    from autovoice.engine.speaking import checked_text

    asked = {"speed": speed, "language": language, "ssml": ssml, "seed": seed}
    speak_options_from(asked)
    if chapters and report is not None:
        raise InputError("--report judges one text: leave out --report or --chapters")
    words = str(checked_text(read_input() if text == STDIN else text))
    entries = read_lexicon(lexicon) if lexicon is not None else None
    order = spoken.Order(words, output, {**asked, "lexicon": entries}, report)
    order.check(chapters=chapters)
    fetch_weights()
    engine = make_engine(device, vram)
    target = engine.voice(voice)
    if chapters:
        from autovoice.cli.book import speak_book

        result = speak_book(engine, order, target)
    else:
        result = order.speak(engine, target)
        if report is not None:
            result = _judged(result, order, engine, voice, target)
    _print(result, as_json=as_json)
    return int(result.get("exit_code", 0))


def read_input() -> str:
    """Return what comes on standard input.

    Raises:
        InputError: it is no UTF-8, or more than a book.
    """
    from autovoice.engine.speaking import MOST_CHARACTERS

    # Four bytes a character at most; what is longer is refused below in any case.
    data = sys.stdin.buffer.read(4 * MOST_CHARACTERS + 4)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"text: found bytes that are no UTF-8 at place {error.start}; save the text as UTF-8"
        ) from error


def read_lexicon(path: Path) -> Mapping[str, str]:
    """Read a file of pronunciations.

    Raises:
        InputError: it cannot be read, or holds phonemes that are not known.
    """
    from autovoice.speak.text import lexicon

    return lexicon.read(path)


def fetch_weights() -> None:
    """Fetch what is missing, with a word about it, on the first call on a machine."""
    from autovoice import weights

    fetch_missing(weights.needed_by("speak"))


def _judged(
    result: dict[str, Any], order: Order, engine: Any, word: str, target: Any
) -> dict[str, Any]:
    from autovoice.cli.cards import Judge, recording_named

    path = recording_named(word, engine.store)
    return order.judged(result, Judge(engine.device, target.name, path or target.embedding))


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown = {key: value for key, value in result.items() if key != "exit_code"}
        click.echo(json.dumps(shown, allow_nan=False, ensure_ascii=False))
        return
    total = result["timings"]["total"]
    pace = total / max(result["seconds"], 1e-9)
    click.echo(
        f"{result['output']}: {result['seconds']:.1f} s spoken by {result['voice']}, "
        f"{result['sentences']} sentences, in {total:.1f} s on {result['device']} "
        f"({pace:.2f} x real time)"
    )
    if "chapters" in result:
        kept = sum(chapter["kept"] for chapter in result["chapters"])
        click.echo(f"  {len(result['chapters'])} chapters, {kept} of them from an earlier call")
    if "card" in result:
        click.echo(f"  card: {result['card']['page']} ({result['card']['gates']})")
    for note in result["notes"]:
        click.echo(f"  note: {note}")
