"""What the end-to-end run writes down: verdicts, cases, outcomes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "fail", "not applicable"]
State = Literal["passed", "known shortfall", "failed", "errored", "not applicable"]
# quality: a gate of the score card; check: a promise about files, exit codes and lengths.
Group = Literal["quality", "check"]
_LIMIT = re.compile(r"^\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class Verdict:
    """One gate of one case.

    Args:
        gate: its name.
        group: ``quality`` or ``check``.
        wanted: the condition in words and numbers, such as ``"> 0.74"``.
        value: what was measured, finite; None where there is no number.
        status: pass, fail or not applicable.
        why: the reason when not applicable, what was found when a check without number failed.
        protocol: under which conditions the threshold holds.
    """

    gate: str
    group: Group
    wanted: str
    value: float | None
    status: Status
    why: str = ""
    protocol: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.gate}: found {self.value}, expected a finite number or None")

    @property
    def limit(self) -> tuple[bool, float] | None:
        """Whether lower values are better, and the threshold; None where there is no number."""
        found = _LIMIT.match(self.wanted)
        return None if found is None else (found[1] in {"<", "<="}, float(found[2]))


@dataclass(frozen=True)
class Case:
    """One result of a workflow: a conversion, a batch, a voice.

    Args:
        name: of the case; with the workflow's name it finds the same case in another run.
        verdicts: its gates.
        figures: of the score card, by measure, as the card writes them.
        commands: what was run, as a user would type it.
        timings: seconds by step.
        notes: what a reader should know.
        why_not: why the case could not be run, ``""`` when it was.
    """

    name: str
    verdicts: tuple[Verdict, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one workflow.

    Args:
        workflow: its name.
        about: what it does.
        cases: those that were finished, also when a later one failed.
        seconds: of all of it, scoring included.
        why: the reason when it errored or is not applicable.
        errored: something went wrong that is no verdict.
    """

    workflow: str
    about: str = ""
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0
    why: str = ""
    errored: bool = False

    @property
    def ran(self) -> bool:
        """Whether at least one case was run."""
        return any(not case.why_not for case in self.cases)


def verdicts(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str, Verdict]]:
    """Yield workflow, case and verdict of every gate."""
    for outcome in outcomes:
        for case in outcome.cases:
            for verdict in case.verdicts:
                yield outcome.workflow, case.name, verdict
