"""The page of one score card: everything in one file that opens from disk without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from markupsafe import Markup

from autovoice.errors import InputError
from autovoice.eval.card import FORMAT, Card, Gate, Kind, Phrase, Recording
from autovoice.eval.part import cut
from autovoice.eval.report.axes import TimeAxis, clock
from autovoice.eval.report.bars import similarity_bars
from autovoice.eval.report.heat import SCALES, STEPS, cells, heat_map, when, worst_phrases
from autovoice.eval.report.pitch_plot import pitch_plot
from autovoice.eval.report.player import MOST_S, Clip, Player, players, reference_clip
from autovoice.eval.report.ranges import range_panel
from autovoice.eval.report.shown import CLASSES, SIGNS, gate_text, key_figures, rows
from autovoice.eval.report.spectrogram import loudest_db, picture, spectrogram
from autovoice.eval.report.template import render, write_text
from autovoice.eval.report.transcript import Piece, differences, language_tag
from autovoice.types import Audio

_KINDS: dict[Kind, str] = {
    "song": "song: singing, judged against a speech reference",
    "speech": "speech to speech",
    "copy": "copy synthesis: a voice converted to itself",
    "text": "text to speech: words against the text, voice against the reference",
}
_LEAST_S = 0.01


@dataclass(frozen=True)
class _Chip:
    """A gate as the head of the page shows it."""

    gate: Gate
    class_: str
    sign: str
    value: str


@dataclass(frozen=True)
class _Heard:
    """The transcripts in pieces."""

    language: str
    source: list[Piece]
    output: list[Piece]
    greedy: str


def write_card(
    card: Card,
    folder: Path,
    name: str,
    *,
    output: Audio,
    source: Audio | None,
    reference: Audio | None,
) -> Path:
    """Write the page of a card, ``<folder>/<name>.html``, under 3 MB whatever the length.

    Plots and players show the judged part, of that at most the first minute.

    Args:
        card: the figures.
        folder: is created if need be.
        name: file name without suffix.
        output, source: the whole recordings, any rates, on the same time; no source where the
            output was made from text.
        reference: the whole reference; its most active half minute can be heard. None for none.

    Returns:
        The file.

    Raises:
        InputError: ``name`` is no plain file name.
        ResourceError: the folder cannot be written or the disk is full.
    """
    if not name or name in {".", ".."} or Path(name).name != name or "\0" in name:
        raise InputError(f"name: found {name!r}, expected a file name without folders and suffix")
    text = card_page(card, output=output, source=source, reference=reference)
    return write_text(folder / f"{name}.html", text)


def card_page(card: Card, *, output: Audio, source: Audio | None, reference: Audio | None) -> str:
    """Return the page that ``write_card`` writes; the same card gives the same page."""
    axis = _axis(card)
    phrases = _phrases(card)
    return render(
        "card.html",
        {
            "title": f"{card.output.name}: score card",
            "card": card,
            "format": FORMAT,
            "facts": _facts(card, axis),
            "chips": [_chip(gate) for gate in card.gates],
            "verdict": _verdict(card.gates),
            "tiles": key_figures(card),
            "range": range_panel(card.range, axis),
            "players": _players(card, axis, output, source, reference),
            "pitch": _pitch(card, axis),
            "spectrograms": _spectrograms(axis, source, output),
            "heat": heat_map(phrases, axis),
            "steps": range(STEPS),
            "scales": list(SCALES.values()),
            "phrases": [(when(phrase), phrase.start_s, cells(phrase)) for phrase in phrases],
            "worst": worst_phrases(phrases),
            "bars": similarity_bars(card),
            "heard": _heard(card),
            "groups": rows(card),
            "timings": sorted(card.timings.items(), key=lambda each: (-each[1], each[0])),
        },
    )


def _axis(card: Card) -> TimeAxis:
    start_s, end_s = map(float, card.span_s)
    return TimeAxis(start_s, max(min(end_s, start_s + MOST_S), start_s + _LEAST_S))


def _phrases(card: Card) -> list[Phrase]:
    """Return the phrases on the time of the source; a card counts from the judged part on."""
    start_s = card.span_s[0]
    return [
        replace(
            phrase,
            start_s=float(start_s + phrase.start_s),
            end_s=float(start_s + phrase.end_s),
        )
        for phrase in card.phrases
    ]


def _facts(card: Card, axis: TimeAxis) -> list[tuple[str, str]]:
    start_s, end_s = card.span_s
    whole = start_s <= 0.0 and end_s >= card.source.seconds - 0.05
    judged = "all of it" if whole else f"{clock(start_s, 0.1)} to {clock(end_s, 0.1)}"
    if axis.end_s < end_s - _LEAST_S:
        judged += f"; plots and players: the first {axis.seconds:.0f} s of it"
    shift = "none" if card.semitones == 0 else f"{card.semitones:+g} semitones"
    return [
        ("output", _described(card.output)),
        ("source", _described(card.source)),
        ("reference", _described(card.reference)),
        ("protocol", _KINDS[card.kind]),
        ("shift", shift),
        ("judged", judged),
    ]


def _described(recording: Recording) -> str:
    # Isolated, so that a name written from right to left leaves the rest in order.
    name = f"\u2068{recording.name}\u2069"
    if recording.channels == 0:
        return name if recording.name.startswith("text: ") else f"{name}, a stored voice"
    sound = {1: "mono", 2: "stereo"}.get(recording.channels, f"{recording.channels} channels")
    rate = f"{recording.sample_rate_hz / 1000:g}\u00a0kHz"
    return f"{name}, {clock(recording.seconds, 0.1)}, {rate}, {sound}"


def _chip(gate: Gate) -> _Chip:
    return _Chip(gate, CLASSES[gate.status], SIGNS[gate.status], gate_text(gate))


def _verdict(gates: tuple[Gate, ...]) -> str:
    if not gates:
        return "No gates were asked for."
    words = {"pass": "passed", "fail": "failed", "not applicable": "not applicable"}
    counts = [
        f"{sum(gate.status == status for gate in gates)} {said}" for status, said in words.items()
    ]
    return "Gates: " + ", ".join(counts) + "."


def _players(
    card: Card, axis: TimeAxis, output: Audio, source: Audio | None, reference: Audio | None
) -> list[Player]:
    span = (axis.start_s, axis.end_s)
    clips = [Clip("output", card.output.name, cut(output, *span), axis.start_s)]
    if source is not None:
        clips.insert(0, Clip("source", card.source.name, cut(source, *span), axis.start_s))
    if reference is not None:
        clips.append(reference_clip(card.reference.name, reference))
    return players(clips)


def _pitch(card: Card, axis: TimeAxis) -> Markup | None:
    if card.melody is None:
        return None
    most = int(axis.seconds / card.melody.hop_s) + 1
    curves = {
        name: getattr(card.melody, name)[:most] for name in ("source_hz", "wanted_hz", "output_hz")
    }
    return pitch_plot(replace(card.melody, **curves), axis, card.span_s[0])


def _spectrograms(axis: TimeAxis, source: Audio | None, output: Audio) -> Mapping[str, Any]:
    sounds = {"output": output} if source is None else {"source": source, "output": output}
    pictures = {name: spectrogram(audio, axis) for name, audio in sounds.items()}
    top_db = loudest_db(list(pictures.values()))
    return {
        name: picture(shown, axis, f"Spectrogram of the {name}", top_db)
        for name, shown in pictures.items()
    }


def _heard(card: Card) -> _Heard | None:
    if card.words is None:
        return None
    words = card.words
    source, output = differences(words.source, words.output, words.language)
    greedy = words.output_greedy if words.output_greedy.strip() != words.output.strip() else ""
    return _Heard(language_tag(words.language), source, output, greedy)
