"""The melody: source, target line and output over time, with the error in cents below."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from autovoice.eval.card import Melody
from autovoice.eval.report.axes import (
    FOOT,
    LEFT,
    RIGHT,
    TimeAxis,
    note_ticks,
)
from autovoice.eval.report.svg import group, label, line, number, tag
from autovoice.note_names import midi_hz, note_name

Curve = NDArray[np.float64]
Run = tuple[int, int]  # first and last + 1

_TOP = 6.0
_HEIGHT = 250.0
_GAP = 14.0
_CENTS_HEIGHT = 110.0
_VOICING_HEIGHT = 16.0
CLIP_CENTS = 200.0
_BAND_CENTS = 50.0
_LEAP_SEMITONES = 7.0  # between two frames no voice leaps so far: the tracker slipped
_LEAST_RANGE = 10.0
_MARGIN = 1.5


def pitch_plot(melody: Melody, axis: TimeAxis, start_s: float) -> Markup | None:
    """Draw a melody.

    Args:
        melody: curves, 0 where unvoiced.
        axis: from when to when.
        start_s: time of frame 0.

    Returns:
        None where nothing is voiced in any of the curves.
    """
    curves = _curves(melody)
    span = _range([curve for _, curve in curves])
    if span is None:
        return None
    times_s = start_s + np.arange(len(curves[0][1])) * melody.hop_s
    x = np.array([axis.x(float(time_s)) for time_s in times_s])
    clip = tag(
        "clipPath",
        tag("rect", x=LEFT, y=_TOP, width=RIGHT - LEFT, height=_HEIGHT),
        id="pitch-area",
    )
    drawn = [
        tag("path", d=_path(x, _height(curve, span), curve), class_=name) for name, curve in curves
    ]
    cents_top = _TOP + _HEIGHT + _GAP
    voicing_top = cents_top + _CENTS_HEIGHT + 6.0
    bottom = voicing_top + _VOICING_HEIGHT
    named = dict(curves)
    return axis.drawing(
        bottom + FOOT,
        "Pitch of source, target line and output over time, and the error in cents below",
        tag("defs", clip),
        *_grid(span),
        group(drawn, clip_path="url(#pitch-area)"),
        tag("rect", x=LEFT, y=_TOP, width=RIGHT - LEFT, height=_HEIGHT, class_="frame"),
        *_cents(x, named["output"] - named["wanted"], cents_top),
        *_voicing(x, named["output"], named["wanted"], voicing_top, melody.hop_s),
        axis.foot(bottom),
    )


def runs(mask: NDArray[np.bool_]) -> list[Run]:
    """Return first and last + 1 of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _curves(melody: Melody) -> list[tuple[str, Curve]]:
    """Return name and pitch in semitones of each, not a number where unvoiced, of equal length."""
    named = [
        ("source", melody.source_hz),
        ("wanted", melody.wanted_hz),
        ("output", melody.output_hz),
    ]
    longest = max(len(curve) for _, curve in named)
    result = []
    for name, curve in named:
        whole = np.full(longest, np.nan)
        voiced = np.flatnonzero(np.isfinite(curve) & (curve > 0))
        whole[voiced] = 69.0 + 12.0 * np.log2(curve[voiced] / 440.0)
        result.append((name, whole))
    return result


def _range(curves: list[Curve]) -> tuple[float, float] | None:
    """Return lowest and highest pitch to show; slips at onsets do not count."""
    voiced = [curve[np.isfinite(curve)] for curve in curves]
    ends = [np.percentile(curve, (2.0, 98.0)) for curve in voiced if curve.size]
    if not ends:
        return None
    low = min(float(end[0]) for end in ends) - _MARGIN
    high = max(float(end[1]) for end in ends) + _MARGIN
    more = max(0.0, _LEAST_RANGE - (high - low)) / 2
    return low - more, high + more


def _height(curve: Curve, span: tuple[float, float]) -> Curve:
    height: Curve = _TOP + _HEIGHT * (span[1] - curve) / (span[1] - span[0])
    return height


def _grid(span: tuple[float, float]) -> list[Markup]:
    parts = []
    for note in note_ticks(*span):
        y = float(_height(np.array(float(note)), span))
        parts.append(line(LEFT, y, RIGHT, y, "grid"))
        parts.append(label(LEFT - 8, y + 4, note_name(note), anchor="end"))
        parts.append(label(RIGHT + 6, y + 4, f"{midi_hz(note):.0f} Hz"))
    return parts


def _path(x: Curve, y: Curve, pitch: Curve) -> str:
    """Return path data with a gap where the pitch, in semitones, is missing or leaps."""
    pieces = []
    for first, last in runs(np.isfinite(pitch)):
        leaps = np.flatnonzero(np.abs(np.diff(pitch[first:last])) > _LEAP_SEMITONES) + first + 1
        for start, end in pairwise([first, *leaps.tolist(), last]):
            points = " ".join(f"{number(x[k])} {number(y[k])}" for k in range(start, end))
            # A line of no length still shows as a dot, its caps being round.
            pieces.append(f"M{points}" + ("h0" if end - start == 1 else ""))
    return "".join(pieces)


def _cents(x: Curve, error: Curve, top: float) -> list[Markup]:
    """Draw the error, clipped at 200 cents, with marks where it is beyond."""
    cents = 100.0 * error
    scale = _CENTS_HEIGHT / (2 * CLIP_CENTS)
    middle = top + _CENTS_HEIGHT / 2
    band = _BAND_CENTS * scale
    parts = [
        tag("rect", x=LEFT, y=middle - band, width=RIGHT - LEFT, height=2 * band, class_="band")
    ]
    for value in (-200, -50, 0, 50, 200):
        y = middle - value * scale
        parts.append(line(LEFT, y, RIGHT, y, "zero" if value == 0 else "grid"))
        words = f"{value:+d}".replace("-", "−") if value else "0 cents"
        parts.append(label(LEFT - 8, y + 4, words, anchor="end"))
    inside = np.where(np.abs(cents) <= CLIP_CENTS, error, np.nan)
    parts.append(tag("path", d=_path(x, middle - cents * scale, inside), class_="output"))
    parts += [*_beyond(x, cents, top, 1), *_beyond(x, cents, top + _CENTS_HEIGHT, -1)]
    parts.append(
        tag("rect", x=LEFT, y=top, width=RIGHT - LEFT, height=_CENTS_HEIGHT, class_="frame")
    )
    return parts


def _beyond(x: Curve, cents: Curve, edge: float, sign: int) -> list[Markup]:
    """Mark the frames beyond the clip at an edge: a bar as long as they last, and an arrow."""
    beyond = np.nan_to_num(cents) * sign > CLIP_CENTS
    parts = []
    for first, last in runs(beyond):
        left, right = float(x[first]), float(x[last - 1]) + 1.0
        middle = (left + right) / 2
        worst = float(np.abs(cents[first:last]).max())
        bar = f"M{number(left)} {number(edge)}H{number(right)}V{number(edge + 3 * sign)}"
        back, tip = number(edge + 8 * sign), number(edge + sign)
        arrow = f"M{number(middle - 4)} {back}L{number(middle)} {tip}L{number(middle + 4)} {back}Z"
        words = tag("title", f"{'above' if sign > 0 else 'below'} by up to {worst:.0f} cents")
        parts.append(tag("path", words, d=f"{bar}H{number(left)}Z{arrow}", class_="mark"))
    return parts


def _voicing(x: Curve, output: Curve, wanted: Curve, top: float, hop_s: float) -> list[Markup]:
    """Draw where only one of the two is a note."""
    ours, theirs = np.isfinite(output), np.isfinite(wanted)
    half = _VOICING_HEIGHT / 2
    parts = [
        tag("rect", x=LEFT, y=top, width=RIGHT - LEFT, height=_VOICING_HEIGHT, class_="band"),
        label(LEFT - 8, top + half + 4, "voicing", anchor="end"),
    ]
    kinds = ((theirs & ~ours, "wanted", 0.0, "missing"), (ours & ~theirs, "output", half, "added"))
    for mask, name, offset, words in kinds:
        for first, last in runs(mask):
            left = float(x[first])
            width = float(x[last - 1]) - left + 1.0
            what = tag("title", f"note {words} for {1000 * (last - first) * hop_s:.0f} ms")
            parts.append(
                tag(
                    "rect",
                    what,
                    x=left,
                    y=top + offset,
                    width=width,
                    height=half,
                    class_=f"only-{name}",
                )
            )
    return parts
