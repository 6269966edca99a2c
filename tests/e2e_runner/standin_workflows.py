"""Workflows that convert nothing: what the runner does with each kind of ending."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.records import Case, Status, Verdict
from e2e.setting import Setting, Workflow

from autovoice.eval.figure import NotApplicable


def quality(value: float | None, status: Status, wanted: str = "< 10 Hz") -> Verdict:
    return Verdict("pitch", "quality", wanted, value, status, "" if value else "unvoiced")


def check(status: Status = "pass") -> Verdict:
    return Verdict("output: exists", "check", "a file", None, status, "" if status else "no file")


def passes(setting: Setting) -> Iterator[Case]:
    figures = {"pitch_rmse_hz": {"value": 3.25}, "cer": {"value": None, "why_not": "no words"}}
    yield Case("good", (check(), quality(3.25, "pass")), figures, ("autovoice convert",))


def fails(setting: Setting) -> Iterator[Case]:
    yield Case("bad", (check(), quality(21.8, "fail")))


def breaks_a_promise(setting: Setting) -> Iterator[Case]:
    yield Case("short", (check("fail"), quality(3.0, "pass")))


def errs(setting: Setting) -> Iterator[Case]:
    yield Case("before", (quality(3.0, "pass"),))
    raise RuntimeError("the disk | is full")


def is_absent(setting: Setting) -> Iterator[Case]:
    yield Case("left out", why_not="no evaluation audio")
    raise NotApplicable("no such command")


def is_unjudged(setting: Setting) -> Iterator[Case]:
    yield Case("silent", (check(), quality(None, "not applicable")))


def says_nothing(setting: Setting) -> Iterator[Case]:
    yield Case("mute")
    yield Case("good", (quality(3.0, "pass"),))


def is_interrupted(setting: Setting) -> Iterator[Case]:
    raise KeyboardInterrupt


_ALL = (
    passes, fails, breaks_a_promise, errs, is_absent, is_unjudged, says_nothing, is_interrupted,
)  # fmt: skip
WORKFLOWS = tuple(Workflow(run.__name__, "A stand-in.", run) for run in _ALL)
