"""Bars of similarity: output against target and source, with what to judge them by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

from markupsafe import Markup

from autovoice.eval.card import Card, Kind
from autovoice.eval.report.shown import NOT_ASKED, figure_text
from autovoice.eval.report.svg import group, label, line, tag

# Mean cosines of real people, the same person twice (see the evaluation protocol).
LIMITS: dict[Kind, tuple[tuple[float, str], ...]] = {
    "song": ((0.74, "sung against spoken"),),
    "speech": ((0.96, "spoken against spoken"),),
    "text": ((0.96, "spoken against spoken"),),
    "copy": ((0.90, "sung against sung"), (0.96, "spoken against spoken")),
}
_WIDTH = 1000.0
_LEFT = 128.0
_RIGHT = 930.0
_BAR = 26.0
_GAP = 12.0
_ROW = 19.0
_CHARACTER = 6.9  # pixels of a character of the labels, on the wide side
_ASIDE = 5.0  # from a line to its label


@dataclass(frozen=True)
class _Bar:
    key: str
    words: str
    class_: str


@dataclass(frozen=True)
class _Mark:
    value: float
    words: str
    class_: str


@dataclass(frozen=True)
class _Label:
    """A mark with its place: ``x`` of the line, row and side of the words."""

    mark: _Mark
    x: float
    row: int
    left: bool

    @property
    def span(self) -> tuple[float, float]:
        """Where the words begin and end."""
        width = _ASIDE + _CHARACTER * len(self.mark.words)
        return (self.x - width, self.x) if self.left else (self.x, self.x + width)


_BARS = (
    _Bar("similarity_target", "to the target", "bar-target"),
    _Bar("similarity_source", "to the source", "bar-source"),
)


def similarity_bars(card: Card) -> Markup:
    """Draw similarity to the target and to the source, with floor and natural limit."""
    marks = _marks(card)
    known = [card.value(bar.key) for bar in _BARS] + [mark.value for mark in marks]
    low = -1.0 if min(value or 0.0 for value in known) < 0 else 0.0
    top = 6.0 + _ROW * len(marks)
    bottom = top + 2 * _BAR + 3 * _GAP
    parts = [_tick(value, low, top, bottom) for value in _ticks(low)]
    for number, bar in enumerate(_BARS):
        parts += _drawn(card, bar, top + _GAP + number * (_BAR + _GAP), low)
    for each in _placed(marks, low):
        y = 6.0 + _ROW * each.row
        parts.append(line(each.x, y + 2, each.x, bottom, each.mark.class_))
        side, anchor = (-_ASIDE, "end") if each.left else (_ASIDE, "start")
        parts.append(label(each.x + side, y + 13, each.mark.words, anchor=anchor, class_="title"))
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {_WIDTH:.0f} {bottom + 24:.0f}",
        role="img",
        aria_label=_spoken(card, marks),
    )


def _marks(card: Card) -> list[_Mark]:
    marks = [
        _Mark(value, f"natural limit {value:.2f} ({words})", "limit")
        for value, words in LIMITS[card.kind]
    ]
    floor = card.value("similarity_floor")
    if floor is not None:
        marks.append(_Mark(floor, f"floor {figure_text(card, 'similarity_floor')}", "floor"))
    return marks


def _placed(marks: list[_Mark], low: float) -> list[_Label]:
    """Give each label a row of its own and a side, so that the fewest lines run through words."""
    best: tuple[int, list[_Label]] | None = None
    for order in permutations(range(len(marks))):
        for sides in product((False, True), repeat=len(marks)):
            labels = [
                _Label(mark, _x(mark.value, low), row, left)
                for mark, row, left in zip(marks, order, sides, strict=True)
            ]
            faults = _faults(labels)
            if best is None or faults < best[0]:
                best = (faults, labels)
    return best[1] if best else []


def _faults(labels: list[_Label]) -> int:
    """Count the labels that leave the picture, and the lines that run down through one."""
    outside = sum(not (each.span[0] >= 0 and each.span[1] <= _WIDTH) for each in labels)
    crossed = sum(
        other.row < each.row and each.span[0] < other.x < each.span[1]
        for each in labels
        for other in labels
    )
    return 2 * outside + crossed


def _drawn(card: Card, bar: _Bar, y: float, low: float) -> list[Markup]:
    middle = y + _BAR / 2 + 5
    parts = [
        label(_LEFT - 10, middle, bar.words, anchor="end", class_="title"),
        tag("rect", x=_LEFT, y=y, width=_RIGHT - _LEFT, height=_BAR, class_="track"),
    ]
    value = card.value(bar.key)
    if value is None:
        figure = card.figures.get(bar.key)
        why = NOT_ASKED if figure is None else f"not applicable: {figure.why_not}"
        return [*parts, label(_LEFT + 8, middle, why)]
    left, right = sorted((_x(0.0, low), _x(value, low)))
    shape = tag("rect", x=left, y=y, width=right - left, height=_BAR, class_=bar.class_)
    text = label(_RIGHT + 10, middle, figure_text(card, bar.key), class_="title strong")
    return [*parts, shape, text]


def _x(value: float, low: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (value - low) / (1.0 - low)


def _ticks(low: float) -> list[float]:
    step = 0.2 if low == 0.0 else 0.5
    return [low + step * k for k in range(round((1.0 - low) / step) + 1)]


def _tick(value: float, low: float, top: float, bottom: float) -> Markup:
    x = _x(value, low)
    words = f"{value:.1f}".replace("-", "−")
    parts = (line(x, top, x, bottom, "grid"), label(x, bottom + 17, words, anchor="middle"))
    return group(parts)


def _spoken(card: Card, marks: list[_Mark]) -> str:
    said = [f"{bar.words} {figure_text(card, bar.key) or 'not applicable'}" for bar in _BARS]
    return "Similarity " + ", ".join([*said, *(mark.words for mark in marks)])
