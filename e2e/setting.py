"""What a workflow is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autovoice.eval.card import Kind
from autovoice.types import FloatArray
from e2e.commands import Command
from e2e.materials import Materials
from e2e.records import Case


class Judge(Protocol):
    """Score one result."""

    def __call__(
        self,
        output: Path,
        source: Path,
        reference: Path | FloatArray,
        *,
        semitones: float,
        kind: Kind,
        language: str | None = None,
    ) -> dict[str, Any]:
        """Return the score card as ``Card.to_json`` writes it, with its gates."""


@dataclass(frozen=True)
class Setting:
    """Tools and choices of a run.

    Args:
        autovoice: runs the command line.
        materials: recordings.
        judge: scores results.
        folder: of what is written, emptied by nobody while the run goes on.
        full: longer recordings, more voices.
        device: for ``--device``.
    """

    autovoice: Command
    materials: Materials
    judge: Judge
    folder: Path
    full: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Workflow:
    """A complete workflow.

    Args:
        name: stable, as results are compared by it.
        about: what it does, one sentence.
        run: yields each case when it is finished; raises ``NotApplicable`` when none can be run.
    """

    name: str
    about: str
    run: Callable[[Setting], Iterator[Case]]
