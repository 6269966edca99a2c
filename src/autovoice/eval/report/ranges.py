"""How a song fits the voice: a ruler of both ranges, and where and with which shift it leaves."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from autovoice.eval.range_words import direction, percent, sentences, when
from autovoice.eval.report.axes import TimeAxis, note_ticks
from autovoice.eval.report.svg import label, line, tag
from autovoice.note_names import midi, note_name
from autovoice.types import PitchRange, RangeFit, RangeSpan, ShiftAdvice

MOST_SPANS = 100  # a page is for reading; the JSON file has them all
_WIDTH = 1000.0
_LEFT = 128.0
_RIGHT = 900.0
_TOP = 6.0
_BAR = 26.0
_GAP = 12.0
_MARGIN = 2.0
_HEIGHT = 2 * _BAR + 3 * _GAP


@dataclass(frozen=True)
class ShiftRow:
    """A shift as the table shows it; ``backing`` is empty where it need not move."""

    name: str
    semitones: str
    outside: str
    backing: str


@dataclass(frozen=True)
class SpanRow:
    """A stretch outside as the table shows it; ``seek_s`` is None where no player reaches it."""

    when: str
    seek_s: float | None
    words: str
    beyond: int
    seconds: str


@dataclass(frozen=True)
class RangePanel:
    """What the page shows of a fit.

    Args:
        sentences: the same words as on the command line.
        ruler: both ranges on one scale; None where there is nothing to compare.
        shifts: applied, automatic and better ones.
        spans: the longest stretches outside, in the order of time.
        left_out: how many shorter ones there are.
    """

    sentences: list[str]
    ruler: Markup | None
    shifts: list[ShiftRow]
    spans: list[SpanRow]
    left_out: int


def range_panel(fit: RangeFit | None, axis: TimeAxis) -> RangePanel | None:
    """Return what to show of a fit; None where a card has none.

    Args:
        fit: of the whole song.
        axis: the part of it that players play.
    """
    if fit is None:
        return None
    longest = sorted(fit.spans, key=lambda span: -span.outside_s)[:MOST_SPANS]
    return RangePanel(
        sentences=sentences(fit),
        ruler=_ruler(fit),
        shifts=_shifts(fit),
        spans=[_span(span, axis) for span in sorted(longest, key=lambda span: span.start_s)],
        left_out=len(fit.spans) - len(longest),
    )


def _shifts(fit: RangeFit) -> list[ShiftRow]:
    if fit.share_outside is None:
        return []
    applied = ShiftAdvice(fit.semitones, fit.share_outside)
    named = (
        ("applied", applied),
        ("octave nearest to the voice (auto)", fit.auto),
        ("octave that leaves least outside", fit.octave),
        ("key that leaves least outside", fit.key),
    )
    # A shift that is several of these at once is one row.
    names: dict[ShiftAdvice, list[str]] = {}
    for name, shift in named:
        if shift is not None:
            names.setdefault(shift, []).append(name)
    return [
        ShiftRow(
            ", ".join(each),
            _signed(shift.semitones),
            percent(shift.share_outside),
            _signed(shift.backing_semitones) if shift.backing_semitones else "",
        )
        for shift, each in names.items()
    ]


def _signed(semitones: int) -> str:
    return f"{semitones:+d}".replace("-", "−") if semitones else "0"


def _span(span: RangeSpan, axis: TimeAxis) -> SpanRow:
    heard = axis.start_s <= span.start_s < axis.end_s
    words = f"{span.side}, {direction(span)} {note_name(span.note)}"
    seconds = f"{span.outside_s:.1f}"
    return SpanRow(
        when(span), span.start_s if heard else None, words, span.beyond_semitones, seconds
    )


def _ruler(fit: RangeFit) -> Markup | None:
    """Draw the song over the voice; the voice's range is a band behind both."""
    if fit.song is None or fit.voice is None:
        return None
    edges = [midi(hz) for each in (fit.song, fit.voice) for hz in (each.low_hz, each.high_hz)]
    edges += [float(span.note) for span in fit.spans]
    scale = (min(edges) - _MARGIN, max(edges) + _MARGIN)
    bottom = _TOP + _HEIGHT
    low, high = (_x(midi(hz), scale) for hz in (fit.voice.low_hz, fit.voice.high_hz))
    parts = [tag("rect", x=low, y=_TOP, width=high - low, height=_HEIGHT, class_="band")]
    for note in note_ticks(*scale):
        x = _x(float(note), scale)
        parts.append(line(x, _TOP, x, bottom, "grid"))
        parts.append(label(x, bottom + 17, note_name(note), anchor="middle"))
    parts += _farthest(fit, scale)
    parts += _bar(fit.song, "the song", "bar-wanted", 0, scale)
    parts += _bar(fit.voice, "the voice", "bar-target", 1, scale)
    spoken = f"The song lies at {fit.song.notes}, the voice is at ease at {fit.voice.notes}"
    box = f"0 0 {_WIDTH:.0f} {bottom + 24:.0f}"
    return tag("svg", *parts, viewBox=box, role="img", aria_label=spoken)


def _bar(
    each: PitchRange, words: str, class_: str, row: int, scale: tuple[float, float]
) -> list[Markup]:
    y = _TOP + _GAP + row * (_BAR + _GAP)
    low, middle, high = (_x(midi(hz), scale) for hz in (each.low_hz, each.median_hz, each.high_hz))
    return [
        label(_LEFT - 10, y + _BAR / 2 + 5, words, anchor="end", class_="title"),
        tag("rect", x=low, y=y, width=max(high - low, 2.0), height=_BAR, class_=class_),
        line(middle, y - 4, middle, y + _BAR + 4, "floor"),
        label(_RIGHT + 10, y + _BAR / 2 + 5, each.notes, class_="title"),
    ]


def _farthest(fit: RangeFit, scale: tuple[float, float]) -> list[Markup]:
    """Draw how far the notes outside reach, a thin line through the bar of the song."""
    if fit.song is None or not fit.spans:
        return []
    notes = [float(span.note) for span in fit.spans]
    ends = (min(midi(fit.song.low_hz), *notes), max(midi(fit.song.high_hz), *notes))
    y = _TOP + _GAP + _BAR / 2
    return [line(_x(ends[0], scale), y, _x(ends[1], scale), y, "axis")]


def _x(note: float, scale: tuple[float, float]) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (note - scale[0]) / (scale[1] - scale[0])
