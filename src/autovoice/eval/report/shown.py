"""Figures as words: never rounded over a gate, reasons where there is no number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autovoice.eval.card import Card, Gate, Kind
from autovoice.eval.measures import BY_KEY, MEASURES, Measure

SIGNS = {"pass": "✓", "fail": "✗", "not applicable": "–"}
CLASSES = {"pass": "pass", "fail": "fail", "not applicable": "na"}
NOT_ASKED = "not asked for"
BETTER = {
    "lower": "lower",
    "higher": "higher",
    "zero": "near zero",
    "none": "for the record",
}
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?")
_DECIMALS = re.compile(r"\.(\d+)f")
_MOST_DECIMALS = 17

_KEY_FIGURES: dict[Kind, tuple[str, ...]] = {
    "song": (
        "pitch_median_cents",
        "pitch_rmse_hz",
        "similarity_target",
        "cer",
        "distillmos",
        "length_error_samples",
    ),
    "speech": (
        "similarity_target",
        "cer",
        "distillmos",
        "pitch_median_cents",
        "pitch_rmse_hz",
        "length_error_samples",
    ),
    "text": ("similarity_target", "cer", "distillmos", "loudness_lufs"),
    "copy": ("stoi", "estoi", "mr_stft", "similarity_target", "pitch_median_cents", "cer"),
}


@dataclass(frozen=True)
class Row:
    """A figure as a page shows it; ``value`` is empty and ``why`` given where there is none."""

    measure: Measure
    value: str
    why: str
    status: str
    note: str = ""

    @property
    def sign(self) -> str:
        """Sign of the verdict, empty where no gate looks at the figure."""
        return SIGNS.get(self.status, "")

    @property
    def missing(self) -> str:
        """Why there is no value, as a sentence without its full stop."""
        return NOT_ASKED.capitalize() if self.why == NOT_ASKED else f"Not applicable: {self.why}"

    @property
    def class_(self) -> str:
        """Class of the verdict in the style sheet."""
        return CLASSES.get(self.status, "")

    @property
    def better(self) -> str:
        """Which way is better, in words."""
        return BETTER[self.measure.better]


def rows(card: Card) -> list[tuple[str, list[Row]]]:
    """Return every measure there is, by group, in the order of the table of measures."""
    groups: dict[str, list[Row]] = {}
    for measure in MEASURES:
        groups.setdefault(measure.group, []).append(_row(card, measure.key))
    return list(groups.items())


def key_figures(card: Card) -> list[Row]:
    """Return the few figures that the head of a card shows."""
    return [_row(card, key) for key in _KEY_FIGURES[card.kind]]


def figure_text(card: Card, key: str) -> str:
    """Return a figure as text, empty where there is none."""
    value = card.value(key)
    if value is None:
        return ""
    wanted = [gate.wanted for gate in card.gates if gate.measure == key]
    # A gate may hold only where the source reads well enough, which its protocol says.
    wanted += [gate.protocol for gate in card.gates if key == f"{gate.measure}_source"]
    return beside(value, BY_KEY[key].style, *wanted)


def gate_text(gate: Gate) -> str:
    """Return a gate's value as text, empty where there is none."""
    if gate.value is None:
        return ""
    known = BY_KEY.get(gate.measure)
    return beside(gate.value, known.style if known else "{:.3f}", gate.wanted)


def beside(value: float, style: str, *conditions: str) -> str:
    """Print a value with as many decimals as show on which side of each threshold it is.

    Args:
        value: what was measured.
        style: how it is printed where nothing is near.
        conditions: words with numbers in them, such as ``"> 0.74"``.

    >>> beside(0.7396, "{:.2f}", "> 0.74"), beside(0.81, "{:.2f}", "> 0.74")
    ('0.7396', '0.81')
    """
    limits = [float(found) for words in conditions for found in _NUMBER.findall(words)]
    found = _DECIMALS.search(style)
    if found is None:
        return style.format(value)
    for decimals in range(int(found[1]), _MOST_DECIMALS):
        text = _DECIMALS.sub(f".{decimals}f", style).format(value)
        if all(_side(float(text), limit) == _side(value, limit) for limit in limits):
            return text
    return repr(value)


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)


def _row(card: Card, key: str) -> Row:
    measure = BY_KEY[key]
    figure = card.figures.get(key)
    status = next((gate.status for gate in card.gates if gate.measure == key), "")
    why = NOT_ASKED if figure is None else figure.why_not or ""
    return Row(measure, figure_text(card, key), why, status, _note(card, key))


def _note(card: Card, key: str) -> str:
    """Return what a reader compares a key figure with."""
    others = {
        "similarity_target": ("similarity_floor", "doing nothing would read {}"),
        "distillmos": ("distillmos_source", "the source reads {}"),
        "cer": ("cer_greedy", "greedy {}"),
        "pitch_median_cents": ("pitch_within_50_cents", "{} within 50 cents"),
    }
    other, words = others.get(key, ("", ""))
    if key == "distillmos" and card.kind == "text":
        other, words = "distillmos_reference", "the reference reads {}"
    text = figure_text(card, other) if other else ""
    return words.format(text) if text else ""
