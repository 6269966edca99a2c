"""What ``autovoice doctor`` finds: one line of its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        topic: what was looked at.
        state: ``ok``; ``note`` (works, could be better); ``broken`` (must be mended).
        found: what is there.
        advice: what to do about it, empty where nothing.
    """

    topic: str
    state: State
    found: str
    advice: str = ""


Check = Callable[[], Iterator[Finding]]


def gigabytes(size_bytes: int) -> str:
    """Write a size in gigabytes."""
    return f"{size_bytes / 1e9:.1f} GB"
