"""``autovoice eval``: the score card of a conversion, or of a whole evaluation folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from autovoice.cli import cards

if TYPE_CHECKING:
    from autovoice.eval.card import Card, Kind
    from autovoice.types import Audio

_FILE = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_OF_ONE = ("output", "source", "text", "reference", "semitones", "kind", "language", "separate",
           "no_words", "gate")  # fmt: skip
_NOT_OF_TEXT = {"source", "semitones", "kind", "separate"}
_OF_PROTOCOL = ("pairs", "compare", "seconds", "only", "with_cards", "fresh")
_NOT_OF_STRESS = {*_OF_ONE, *_OF_PROTOCOL} - {"semitones", "compare", "only"}
GATE_FAILED = 1


@click.command("eval")
@click.argument("output", metavar="[OUT]", required=False, type=_FILE)
@click.option("--source", type=_FILE, metavar="FILE", help="What OUT was made of.")
@click.option("--text", metavar="WORDS", help="What OUT was to say, where no source was sung.")
@click.option(
    "--reference",
    metavar="VOICE",
    help="Whose voice was wanted: a recording of 3 s or more, a .voice file, or a voice's name.",
)
@click.option(
    "--semitones",
    type=click.FloatRange(-48, 48),
    default=0.0,
    show_default=True,
    metavar="N",
    help="The shift of the melody that was applied; of the stress set, to apply.",
)
@click.option(
    "--kind",
    type=click.Choice(["song", "speech", "copy"]),
    default="song",
    show_default=True,
    help="Singing, speech, or a voice converted to itself: which gates hold.",
)
@click.option(
    "--language", metavar="xx", help="Of the words. Default: detected in the source; of --text en."
)
@click.option("--separate", is_flag=True, help="Take the vocals out of OUT and the source first.")
@click.option("--no-words", is_flag=True, help="Do not transcribe.")
@click.option("--gate", is_flag=True, help="Exit with 1 when a gate fails, or none applies.")
@click.option("--protocol", type=_FOLDER, metavar="DIR", help="Convert and judge that folder.")
@click.option("--stress", is_flag=True, help="Convert and measure hard places, made or cut.")
@click.option("--voice", metavar="VOICE", help="Whose voice the stress set is sung in.")
@click.option("--pairs", type=click.Choice(["quick", "full"]), help="How many. Default: quick.")
@click.option("--compare", type=_FILE, metavar="FILE", help="What an earlier run wrote.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Convert at most so much of each source.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Only what has that name; repeatable.")
@click.option("--cards", "with_cards", is_flag=True, help="Also write a page for each pair.")
@click.option("--fresh", is_flag=True, help="Forget what an earlier run in the folder found.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]")
@click.option("--report", type=_FOLDER, metavar="DIR", help="Write the page and the figures there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.pass_context
def evaluate(ctx: click.Context, /, **options: Any) -> int:
    """Judge how good a conversion is.

    autovoice eval OUT --source FILE --reference VOICE: the score card of one result. All three are
    voices alone; with backing, add --separate.

    autovoice eval OUT --text WORDS --reference VOICE: the score card of speech made of text.

    autovoice eval --protocol DIR --report DIR: convert and judge every pair of an evaluation
    folder.

    autovoice eval --stress --voice VOICE: convert sounds that are hard to convert and measure what
    became of them; with --protocol DIR also the hardest places of its recordings.
    """
    given = {
        name
        for name in options
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT
        and options[name] not in (None, ())
    }
    names = {parameter.name: parameter for parameter in ctx.command.params}
    if options["stress"]:
        _refuse(given & _NOT_OF_STRESS, names, "not for --stress; leave out one or the other")
        if options["voice"] is None:
            raise click.UsageError("--stress needs --voice VOICE, in whose voice it is sung")
        return _stress(options)
    _refuse(given & {"voice"}, names, "for the stress set; add --stress")
    if options["protocol"] is not None:
        _refuse(given & set(_OF_ONE), names, "for a single OUT; leave out --protocol, or these")
        if options["report"] is None:
            raise click.UsageError("--protocol needs --report DIR, the folder for its results")
        return _protocol(options)
    _refuse(given & set(_OF_PROTOCOL), names, "for a whole folder; add --protocol DIR")
    if options["text"] is not None:
        _refuse(given & _NOT_OF_TEXT, names, "not for --text; leave out one or the other")
    of = "source" if options["text"] is None else "text"
    missing = [each for each in ("output", of, "reference") if options[each] is None]
    if missing:
        words = ", ".join(_spelt(names[each]) for each in missing)
        raise click.UsageError(
            f"missing {words}: give OUT --source FILE --reference VOICE for one result, OUT --text "
            "WORDS --reference VOICE for speech made of text, --protocol DIR --report DIR for a "
            "whole folder, or --stress --voice VOICE"
        )
    return _one(options)


def _refuse(given: set[str], names: Mapping[str, click.Parameter], why: str) -> None:
    if given:
        words = ", ".join(sorted(_spelt(names[name]) for name in given))
        raise click.UsageError(f"{words}: {why}")


def _spelt(parameter: click.Parameter) -> str:
    return "OUT" if isinstance(parameter, click.Argument) else parameter.opts[0]


def _protocol(options: dict[str, Any]) -> int:
    from autovoice.cli.protocol import run_protocol

    return run_protocol(
        options["protocol"],
        pairs=options["pairs"] or "quick",
        report=options["report"],
        device=options["device"],
        compare=options["compare"],
        seconds=options["seconds"],
        only=options["only"],
        cards=options["with_cards"],
        fresh=options["fresh"],
        as_json=options["as_json"],
    )


def _stress(options: dict[str, Any]) -> int:
    from autovoice.cli.stress import run_stress

    return run_stress(
        options["voice"],
        folder=options["protocol"],
        report=options["report"],
        device=options["device"],
        semitones=options["semitones"],
        compare=options["compare"],
        only=options["only"],
        as_json=options["as_json"],
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """What was read: the voices that are judged."""

    output: Audio
    source: Audio | None
    reference: cards.Reference
    notes: tuple[str, ...] = ()


def _one(options: dict[str, Any]) -> int:
    """Judge one result."""
    from autovoice.engine import devices

    device = devices.choose(options["device"]).device
    output, source = options["output"], options["source"]
    case = _read(output, source, options["reference"])
    if options["separate"]:
        case = _separated(case, device)
    scorer = cards.make_scorer(device, words=not options["no_words"])
    with _waiting(f"judging {output}"):
        if case.source is None:
            card = scorer.text_card(
                case.output,
                options["text"],
                case.reference.voice,
                language=options["language"] or "en",
                names=(output.name, case.reference.name),
            )
        else:
            card = scorer.card(
                case.output,
                case.source,
                case.reference.voice,
                kind=cast("Kind", options["kind"]),
                semitones=options["semitones"],
                language=options["language"],
                names=(output.name, source.name, case.reference.name),
            )
    card = cards.with_notes(card, *case.notes)
    files = _written(card, case, options["report"], output.stem)
    _print(card, files, as_json=options["as_json"])
    return _gate_code(card) if options["gate"] else 0


def _gate_code(card: Card) -> int:
    """Return the exit code of ``--gate``: what nothing was judged of has not passed."""
    if not cards.judged_gates(card):
        click.echo("error: --gate: no gate could be judged; the card says why", err=True)
        return GATE_FAILED
    return GATE_FAILED if cards.failed_gates(card) else 0


def _read(output: Path, source: Path | None, reference: str) -> _Case:
    from autovoice import io
    from autovoice.voices import VoiceStore

    store = VoiceStore.default()
    path = cards.recording_named(reference, store)
    if path is not None:
        wanted = cards.Reference(path.name, io.read(path))
    else:
        voice = _stored(reference, store)
        wanted = cards.Reference(voice.name, voice.embedding)
    return _Case(io.read(output), None if source is None else io.read(source), wanted)


def _stored(word: str, store: Any) -> Any:
    """Find a voice that is no recording; the error lists what there is."""
    from autovoice.errors import VoiceError
    from autovoice.voices import Resolver

    def refuse() -> Any:
        raise VoiceError(f"{word}: found no voice of that name; give a recording of 3 s or more")

    return Resolver(store, refuse).resolve(word)


def _separated(case: _Case, device: str) -> _Case:
    """Take the voices out of mixes."""
    from autovoice.cli.fetch import fetch_missing
    from autovoice.engine.scratch import Scratch
    from autovoice.engine.separating import separate
    from autovoice.engine.stages import Builders

    fetch_missing(["spleeter-2stems"])
    separator = Builders().separator(device)
    with _waiting("taking the vocals out"):
        output, *sources = (
            separate(audio, separator, Scratch(), _unseen).vocals
            for audio in (case.output, case.source)
            if audio is not None
        )
    note = "the vocals were taken out of output and source before they were judged"
    return _Case(output, next(iter(sources), None), case.reference, (note,))


def _unseen(_share: float) -> None:
    """Take no notice of progress; the wheel turns."""


def _written(card: Card, case: _Case, folder: Path | None, name: str) -> dict[str, str]:
    if folder is None:
        return {}
    page, figures = cards.write_report(
        card,
        folder,
        name,
        f"{name}.json",
        output=case.output,
        source=case.source,
        reference=case.reference.recording,
    )
    return {"page": str(page), "json": str(figures)}


def _print(card: Card, files: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        value = {**card.to_json(), **({"report": files} if files else {})}
        click.echo(json.dumps(value, allow_nan=False, ensure_ascii=False))
        return
    for line in cards.card_lines(card):
        click.echo(line)
    if files:
        click.echo(f"\nreport: {files['page']}")


@contextmanager
def _waiting(words: str) -> Iterator[None]:
    """Turn a wheel on stderr where somebody looks."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(escape(words)):
        yield
