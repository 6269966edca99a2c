"""Where it went wrong: how bad each phrase is, figure by figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from autovoice.eval.card import Phrase
from autovoice.eval.figure import Figure
from autovoice.eval.report.axes import FOOT, LEFT, RIGHT, TimeAxis, clock
from autovoice.eval.report.svg import label, tag

STEPS = 7
_TOP = 22.0
_ROW = 30.0
_GAP = 4.0
_LEAST_WIDTH = 4.0
_WIDE_ENOUGH = 34.0
_NOTICEABLE = 2.0


@dataclass(frozen=True)
class Scale:
    """How bad a value is.

    Args:
        name, unit: words at the two edges of the row.
        limits: six values, ascending, that part seven colours.
        style: how a value is printed; of ``times`` it.
        times: 100 where a share is shown in per cent.
        bad: words with ``{}`` for the value, and a second one for what is usual.
        low: the same for a value below zero.
    """

    name: str
    unit: str
    limits: tuple[float, ...]
    style: str
    bad: str
    low: str = ""
    times: float = 1.0

    def text(self, value: float) -> str:
        """Return a value as cells show it."""
        text = self.style.format(self.times * value)
        # Adding zero takes the sign off what rounds to nothing.
        return self.style.format(float(text) + 0.0).replace("-", "−")

    def badness(self, value: float) -> float:
        """Return 0 (best) to 6 (worst), between the steps in proportion."""
        size = abs(value)
        for step, limit in enumerate(self.limits):
            if size < limit:
                before = self.limits[step - 1] if step else 0.0
                return step + (size - before) / (limit - before)
        return float(len(self.limits))


SCALES = {
    "median_cents": Scale(
        "pitch error", "cents", (5, 10, 20, 35, 60, 100), "{:.0f}", "{} cents off in the median"
    ),
    "beyond_50_cents": Scale(
        "off by > 50 c",
        "%",
        (0.02, 0.05, 0.10, 0.20, 0.35, 0.50),
        "{:.0f}",
        "{} % of the notes more than 50 cents off",
        times=100.0,
    ),
    "voicing_error": Scale(
        "voicing",
        "%",
        (0.02, 0.05, 0.10, 0.15, 0.25, 0.40),
        "{:.0f}",
        "{} % of the time a note in only one of the two",
        times=100.0,
    ),
    "level_db": Scale(
        "level", "dB", (0.75, 1.5, 2.5, 4, 6, 9), "{:+.1f}", "{} dB too loud", "{} dB too quiet"
    ),
    "spectral_db": Scale(
        "spectrum",
        "dB",
        (0.4, 0.8, 1.4, 2.2, 3.2, 4.5),
        "{:.1f}",
        "spectrum {} dB off where {} is usual here",
    ),
}
# Another voice is some decibels away by nature, so these are judged against their own median.
_RELATIVE = ("spectral_db",)


@dataclass(frozen=True)
class Worst:
    """One of the worst phrases: which, when, and what is wrong in words."""

    number: int
    start_s: float
    end_s: float
    when: str
    words: str


def heat_map(phrases: Sequence[Phrase], axis: TimeAxis) -> Markup | None:
    """Draw the badness of every phrase under its time; a click on one seeks the players.

    Returns:
        None where no phrase lies in the time of the axis.
    """
    usual = _usual(phrases)
    columns = [
        _column(phrase, number, axis, usual)
        for number, phrase in enumerate(phrases, 1)
        if phrase.end_s > axis.start_s and phrase.start_s < axis.end_s
    ]
    if not columns:
        return None
    names = []
    for row, scale in enumerate(SCALES.values()):
        y = _TOP + row * (_ROW + _GAP) + _ROW / 2 + 5
        names += [label(LEFT - 8, y, scale.name, anchor="end"), label(RIGHT + 8, y, scale.unit)]
    bottom = _TOP + len(SCALES) * (_ROW + _GAP)
    name = "Error of each phrase under its time"
    return axis.drawing(bottom + FOOT, name, *names, *columns, axis.foot(bottom), role="group")


def worst_phrases(phrases: Sequence[Phrase], count: int = 3) -> list[Worst]:
    """Return the worst phrases, worst first, with what is wrong about each in words."""
    usual = _usual(phrases)
    judged = []
    for number, phrase in enumerate(phrases, 1):
        found = _badness(phrase, usual)
        if found:
            # One thing that is badly wrong counts as much as several that are slightly wrong.
            total = max(found.values()) + sum(found.values()) / len(found)
            judged.append((-total, number, phrase, found))
    judged.sort(key=lambda each: each[:2])
    return [
        Worst(number, phrase.start_s, phrase.end_s, when(phrase), _said(phrase, found, usual))
        for _, number, phrase, found in judged[:count]
    ]


def when(phrase: Phrase) -> str:
    """Return from when to when, in words."""
    return f"{clock(phrase.start_s, 0.1)} to {clock(phrase.end_s, 0.1)}"


def cells(phrase: Phrase) -> list[tuple[str, str]]:
    """Return text and reason of each figure of a phrase, one of the two empty."""
    result = []
    for key, scale in SCALES.items():
        figure = phrase.figures.get(key, Figure(None, "not asked for"))
        if figure.value is None:
            result.append(("", figure.why_not or ""))
        else:
            result.append((scale.text(figure.value), ""))
    return result


def _usual(phrases: Sequence[Phrase]) -> dict[str, float]:
    usual = {}
    for key in _RELATIVE:
        values = [phrase.figures[key].value for phrase in phrases if key in phrase.figures]
        known = [value for value in values if value is not None]
        usual[key] = median(known) if known else 0.0
    return usual


def _badness(phrase: Phrase, usual: dict[str, float]) -> dict[str, float]:
    found = {}
    for key, scale in SCALES.items():
        figure = phrase.figures.get(key)
        if figure is not None and figure.value is not None:
            above = figure.value - usual[key] if key in usual else figure.value
            found[key] = scale.badness(max(above, 0.0) if key in usual else above)
    return found


def _said(phrase: Phrase, found: dict[str, float], usual: dict[str, float]) -> str:
    wrong = sorted((-bad, key) for key, bad in found.items() if bad >= _NOTICEABLE)
    if not wrong:
        return "nothing stands out"
    parts = []
    for _, key in wrong[:3]:
        scale, value = SCALES[key], phrase.figures[key].value or 0.0
        words = scale.low if value < 0 and scale.low else scale.bad
        numbers = [scale.text(abs(each)).lstrip("+") for each in (value, usual.get(key, 0.0))]
        parts.append(words.format(*numbers))
    return ", ".join(parts)


def _column(phrase: Phrase, number: int, axis: TimeAxis, usual: dict[str, float]) -> Markup:
    left = max(axis.x(phrase.start_s), LEFT)
    right = min(axis.x(phrase.end_s), RIGHT)
    width = max(right - left - 1.0, _LEAST_WIDTH)
    left = min(left, RIGHT - width)
    found = _badness(phrase, usual)
    parts = []
    if width >= _WIDE_ENOUGH / 2:
        parts.append(label(left + width / 2, _TOP - 7, str(number), anchor="middle"))
    for row, (key, scale) in enumerate(SCALES.items()):
        y = _TOP + row * (_ROW + _GAP)
        text, why = cells(phrase)[row]
        says = f"{text} {scale.unit}" if text else f"not applicable: {why}"
        shown = text or "–"
        title = tag("title", f"phrase {number}, {when(phrase)}: {scale.name} {says}")
        class_ = f"heat-{min(int(found[key]), STEPS - 1)}" if key in found else "heat-na"
        parts.append(tag("rect", title, x=left, y=y, width=width, height=_ROW, rx=2, class_=class_))
        if width >= _WIDE_ENOUGH:
            ink = f"cell ink-{class_}"
            middle = left + width / 2
            parts.append(label(middle, y + _ROW / 2 + 5, shown, anchor="middle", class_=ink))
    return tag(
        "a",
        *parts,
        href=f"#phrase-{number}",
        data_seek=repr(phrase.start_s),
        aria_label=f"phrase {number}, {when(phrase)}",
    )
