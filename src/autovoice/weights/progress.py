"""How a fetch tells what it does: plain events to a callback; the library draws nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Step = Literal["wait", "download", "unpack", "convert", "done"]


@dataclass(frozen=True)
class ProgressEvent:
    """Where one task stands.

    Args:
        task: wheel file name while fetching, model name while converting.
        step: what is being done.
        done_bytes, total_bytes: how far; both 0 where it cannot be told.
    """

    task: str
    step: Step
    done_bytes: int = 0
    total_bytes: int = 0


# Called from several threads at once.
ProgressCallback = Callable[[ProgressEvent], None]


def silent(event: ProgressEvent) -> None:
    """Take an event and do nothing."""
