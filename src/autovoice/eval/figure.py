"""One measured number, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


class NotApplicable(Exception):
    """A measure says that it cannot judge these recordings; the message tells why."""


@dataclass(frozen=True)
class Figure:
    """A finite number, or the reason why there is none.

    Args:
        value: what was measured, in the unit of its measure (see ``measures``).
        why_not: what was found and what the measure needs; given exactly when ``value`` is None.
    """

    value: float | None
    why_not: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.why_not is None):
            raise ValueError(f"expected a value or a reason, found {self.value}, {self.why_not!r}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"found {self.value}, expected a finite number")


def measured(value: float | None, why_not: str = "nothing was measured") -> Figure:
    """Return a figure of ``value``; not applicable when it is None, infinite or not a number.

    Args:
        value: the number, of any numeric type.
        why_not: the reason to give when it is None.
    """
    if value is None:
        return Figure(None, why_not)
    number = float(value)
    if not math.isfinite(number):
        return Figure(None, f"the measure gave {number}, which is no finite number")
    return Figure(number)


def attempt(measure: Callable[[], float | None], why_not: str = "nothing was measured") -> Figure:
    """Run a measure; a ``NotApplicable`` that it raises becomes the reason."""
    try:
        return measured(measure(), why_not)
    except NotApplicable as reason:
        return Figure(None, str(reason))
