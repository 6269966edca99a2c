"""What somebody asks for, and what a kind of device can do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MINUTES = {"cpu": 40.0, "cuda": 3.0}


@dataclass(frozen=True)
class Plan:
    """What a kind of device can do in its time (measured: ``docs/voice-training.md``).

    Args:
        batch, ticks: crops in a step, and their length in 0.1 s.
        disguises: times that each slice is heard in disguise.
        train_s, held_s: recordings that are learnt from and scored on, at most.
        strangers, held_strangers: clips of 2.4 s of other people's words, to learn from and to
            score on.
        rank: of the low-rank additions.
    """

    batch: int
    ticks: int
    disguises: int
    train_s: float
    held_s: float
    strangers: int
    held_strangers: int
    rank: int = 8


PLANS = {
    "cpu": Plan(1, 16, 2, 120.0, 10.0, 24, 4),
    "cuda": Plan(8, 24, 4, 600.0, 20.0, 96, 8),
}


@dataclass(frozen=True, eq=False)
class Request:
    """What to train.

    Args:
        name: of the voice.
        files: recordings of one person.
        minutes: limit for everything; None for 3 on a GPU and 40 on the CPU; 0 keeps what an
            interrupted training has reached.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        consent, licence, description: kept in the voice; those of a stored voice of that name
            stay where these are empty.
        steps: stop after so many steps; None for no such limit.
        seed: of every draw.
        force: replace a trained voice of that name.
    """

    name: str
    files: Sequence[Path]
    minutes: float | None = None
    device: str = "cpu"
    consent: str = ""
    licence: str = ""
    description: str = ""
    steps: int | None = None
    seed: int = 0
    force: bool = False

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``."""
        return "cuda" if self.device.startswith("cuda") else "cpu"

    @property
    def limit_s(self) -> float:
        """Seconds for everything."""
        minutes = DEFAULT_MINUTES[self.kind] if self.minutes is None else self.minutes
        return 60.0 * minutes
