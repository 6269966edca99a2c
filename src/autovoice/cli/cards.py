"""Score cards as commands make, write and print them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autovoice.cli.fetch import fetch_missing

if TYPE_CHECKING:
    from autovoice.engine import Conversion
    from autovoice.eval.card import Card
    from autovoice.eval.scorer import Scorer
    from autovoice.types import Audio, FloatArray
    from autovoice.voices import VoiceStore

_BETTER = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "nearest to zero is best",
    "none": "",
}
_VERDICTS = {"pass": "pass", "fail": "FAIL", "not applicable": "not applicable"}


def make_scorer(device: str, *, words: bool = True) -> Scorer:
    """Build the scorer of a call, its weights fetched and its networks loaded.

    Args:
        device: ``cpu`` or ``cuda:N``.
        words: whether words are judged.

    Raises:
        WeightsError: weights cannot be had.
        AutoVoiceError: the ``eval`` extra is not installed.
    """
    from autovoice import weights
    from autovoice.eval.scorer import Scorer

    names = weights.needed_by("eval")
    fetch_missing(name for name in names if words or name != "whisper-base")
    scorer = Scorer(device=device, words=words)
    scorer.load()
    return scorer


def recording_named(word: str, store: VoiceStore) -> Path | None:
    """Return the recording that a word names as voices are named, None where it is none."""
    from autovoice.voices import BUILTIN_VOICES
    from autovoice.voices.file import SUFFIX

    path = Path(word)
    if word in BUILTIN_VOICES or word in store.names() or path.suffix.lower() == SUFFIX:
        return None
    return path if path.is_file() else None


@dataclass(frozen=True, eq=False)
class Reference:
    """Whose voice was wanted.

    Args:
        name: what the card calls it.
        voice: a recording, or a stored voice's speaker embedding, ``[256]``.
    """

    name: str
    voice: Audio | FloatArray

    @property
    def recording(self) -> Audio | None:
        """The recording; None of a stored voice."""
        from autovoice.types import Audio

        return self.voice if isinstance(self.voice, Audio) else None


class Judge:
    """Make the cards of many conversions into one voice; the scorer is loaded once.

    Args:
        device: ``cpu`` or ``cuda:N``.
        name: of the voice.
        voice: its recording, or its speaker embedding, ``[256]``.
    """

    def __init__(self, device: str, name: str, voice: Path | FloatArray) -> None:
        self._device, self._name, self._voice = device, name, voice
        self._scorer: Scorer | None = None
        self._reference: Reference | None = None

    def write(self, conversion: Conversion, folder: Path, name: str, song: str) -> dict[str, str]:
        """Write ``<name>.html`` and ``<name>.card.json``: the new vocal against the old one.

        Args:
            conversion: what is judged.
            folder, name: where, and the files' name.
            song: what the card calls the source.

        Returns:
            What ``--json`` tells of the card.

        Raises:
            AutoVoiceError: it cannot be made or written.
        """
        output, source = conversion.stems.converted, conversion.stems.vocals
        scorer, reference = self._loaded()
        card = scorer.card(
            output,
            source,
            reference.voice,
            semitones=conversion.semitones,
            names=(f"{name} by {self._name}", song, reference.name),
        )
        page, figures = write_report(
            replace(card, range=conversion.range),
            folder,
            name,
            f"{name}.card.json",
            output=output,
            source=source,
            reference=reference.recording,
        )
        return {"page": str(page), "json": str(figures), "gates": gates_line(card)}

    def write_spoken(
        self, output: Audio, text: str, folder: Path, name: str, *, language: str
    ) -> dict[str, str]:
        """Write ``<name>.html`` and ``<name>.card.json`` of speech that was made from text.

        Args:
            output: what is judged, about a minute.
            text: what was to be said in it.
            folder, name: where, and the files' name.
            language: of the text.

        Returns:
            What ``--json`` tells of the card.

        Raises:
            AutoVoiceError: it cannot be made or written.
        """
        scorer, reference = self._loaded()
        names = (f"{name} by {self._name}", reference.name)
        card = scorer.text_card(output, text, reference.voice, language=language, names=names)
        page, figures = write_report(
            card,
            folder,
            name,
            f"{name}.card.json",
            output=output,
            source=None,
            reference=reference.recording,
        )
        return {"page": str(page), "json": str(figures), "gates": gates_line(card)}

    def _loaded(self) -> tuple[Scorer, Reference]:
        from autovoice import io

        if self._reference is None:
            if isinstance(self._voice, Path):
                self._reference = Reference(self._voice.name, io.read(self._voice))
            else:
                self._reference = Reference(self._name, self._voice)
        self._scorer = self._scorer or make_scorer(self._device)
        return self._scorer, self._reference


def write_report(
    card: Card, folder: Path, name: str, json_name: str, *, output: Audio, source: Audio | None,
    reference: Audio | None,
) -> tuple[Path, Path]:  # fmt: skip
    """Write a card as a page and as JSON, each whole or not at all.

    Args:
        card: the figures.
        folder: where; it is created.
        name: of the page, without suffix.
        json_name: of the JSON file.
        output, source, reference: what the page shows and plays.

    Returns:
        The page, and the JSON file.

    Raises:
        ResourceError: the folder cannot be written.
    """
    from autovoice.eval.report import write_card, write_text

    page = write_card(card, folder, name, output=output, source=source, reference=reference)
    text = json.dumps(card.to_json(), allow_nan=False, ensure_ascii=False, indent=2)
    return page, write_text(folder / json_name, text + "\n")


def with_notes(card: Card, *notes: str) -> Card:
    """Return the same card with more notes, first."""
    return replace(card, notes=(*notes, *card.notes))


def failed_gates(card: Card) -> int:
    """Count the gates that failed."""
    return sum(gate.status == "fail" for gate in card.gates)


def judged_gates(card: Card) -> int:
    """Count the gates that passed or failed; the others did not apply."""
    return sum(gate.status in {"pass", "fail"} for gate in card.gates)


def gates_line(card: Card) -> str:
    """Return the verdicts in one line."""
    return ", ".join(f"{gate.name} {_VERDICTS[gate.status]}" for gate in card.gates)


def card_lines(card: Card) -> Iterator[str]:
    """Yield a card as text: figures by group, gates, notes."""
    shift = f", {card.semitones:+g} semitones" if card.semitones else ""
    yield f"{card.output.name} ({card.kind}{shift})"
    yield f"  source     {_described(card.source)}"
    yield f"  reference  {_described(card.reference)}"
    yield from _figure_lines(card)
    yield ""
    yield "gates"
    yield from _columns([_gate_cells(gate) for gate in card.gates])
    if card.notes:
        yield ""
        yield "notes"
        yield from (f"  {note}" for note in card.notes)


def _figure_lines(card: Card) -> Iterator[str]:
    from autovoice.eval.report.shown import rows

    for group, measures in rows(card):
        yield ""
        reasons = {row.why for row in measures}
        if len(reasons) == 1 and (why := reasons.pop()):
            yield f"{group}: {_missing(why)}"
            continue
        yield group
        cells = []
        for row in measures:
            value = f"{row.value} {row.measure.unit}".rstrip() if row.value else "-"
            said = _BETTER[row.measure.better] if row.value else _missing(row.why)
            cells.append((row.measure.heading, value, said))
        yield from _columns(cells)


def _gate_cells(gate: Any) -> tuple[str, str, str]:
    from autovoice.eval.measures import BY_KEY
    from autovoice.eval.report.shown import gate_text

    unit = BY_KEY[gate.measure].unit
    found = f"{gate_text(gate)} {unit}".rstrip() if gate.value is not None else ""
    words = gate.why if gate.why else f"{found}, wanted {gate.wanted}; {gate.protocol}"
    return _VERDICTS[gate.status], gate.name, words


def _missing(why: str) -> str:
    from autovoice.eval.report.shown import NOT_ASKED

    return why if why == NOT_ASKED else f"not applicable: {why}"


def _described(one: Any) -> str:
    if not one.sample_rate_hz:
        return one.name if one.name.startswith("text: ") else f"{one.name} (a stored voice)"
    return f"{one.name} ({one.seconds:.1f} s, {one.sample_rate_hz} Hz)"


def _columns(lines: list[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    for first, second, third in lines:
        yield f"  {first.ljust(widths[0])}  {second.ljust(widths[1])}  {third}".rstrip()
