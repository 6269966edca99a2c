"""The time axis that all plots of a page share, and the axes of pitch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from autovoice.eval.report.svg import group, label, line, tag

WIDTH = 1000.0
LEFT = 92.0
RIGHT = 944.0
FOOT = 22.0  # pixels that the labels of the time axis take
_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_MOST_TICKS = 13


@dataclass(frozen=True)
class TimeAxis:
    """Seconds of the source to pixels; plots with the same axis lie over one another."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not self.end_s > self.start_s:
            raise ValueError(f"found {self.start_s} to {self.end_s} s, expected some time between")

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def x(self, time_s: float) -> float:
        """Return where a time is, in pixels."""
        return LEFT + (RIGHT - LEFT) * (time_s - self.start_s) / self.seconds

    def ticks(self) -> list[tuple[float, str]]:
        """Return place in pixels and words of round times."""
        step = next((s for s in _STEPS_S if self.seconds / s <= _MOST_TICKS), self.seconds / 5)
        first = math.ceil(self.start_s / step - 1e-9)
        times = [k * step for k in range(first, math.floor(self.end_s / step + 1e-9) + 1)]
        return [(self.x(time_s), clock(time_s, step)) for time_s in times]

    def foot(self, y: float, *, labels: bool = True) -> Markup:
        """Return ticks and labels under a plot that ends at ``y``."""
        parts = []
        for x, words in self.ticks():
            parts.append(line(x, y, x, y + 4, "axis"))
            if labels:
                parts.append(label(x, y + 17, words, anchor="middle"))
        return group(parts)

    def drawing(self, height: float, name: str, *parts: str, role: str = "img") -> Markup:
        """Return the SVG of a plot: ``height`` pixels, ``name`` for those who cannot see it.

        ``role`` is ``group`` where there are links inside.
        """
        head = tag("line", x1=LEFT, x2=LEFT, y1=0.0, y2=height - FOOT, class_="playhead")
        # Unrounded, since the script computes times from these.
        data = {"data-start-s": repr(self.start_s), "data-end-s": repr(self.end_s)}
        return tag(
            "svg",
            *parts,
            head,
            viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
            role=role,
            aria_label=name,
            data_left=LEFT,
            data_right=RIGHT,
            **data,
        )


def clock(time_s: float, step_s: float = 1.0) -> str:
    """Return a time in words: minutes and seconds, with as many decimals as steps of it need.

    >>> clock(75), clock(12.5, 0.5), clock(59.96, 0.1)
    ('1:15', '0:12.5', '1:00.0')
    """
    decimals = 0 if step_s >= 1 else 2 if step_s < 0.1 else 1
    rounded = round(time_s, decimals)
    minutes, seconds = divmod(abs(rounded), 60)
    width = 2 + (decimals + 1 if decimals else 0)
    sign = "-" if rounded < 0 else ""
    return f"{sign}{int(minutes)}:{seconds:0{width}.{decimals}f}"


def note_ticks(low: float, high: float) -> list[int]:
    """Return the notes to label between two pitches in semitones: fewer where there are many."""
    spans = ((14, (0, 2, 4, 5, 7, 9, 11)), (26, (0, 4, 7, 9)), (42, (0, 7)))
    kept = next((notes for most, notes in spans if high - low <= most), (0,))
    return [note for note in range(math.ceil(low), math.floor(high) + 1) if note % 12 in kept]
