"""Whose work it is: every job of a thread belongs to the call that the thread serves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum

from autovoice.engine.progress import Cancel


class Priority(IntEnum):
    """Who goes first; less is sooner."""

    LIVE = 0
    BATCH = 1


@dataclass(frozen=True, eq=False)
class Call:
    """One request: a conversion, a sentence, a window of live sound. Each is its own equal only.

    Args:
        priority: live sound goes before everything else.
        cancel: asked while a job waits; True drops it. Default: never.
        deadline_s: a job that did not begin by then (``time.monotonic``) is dropped. Default none.
        mixed_precision: run networks in half precision, where there is a GPU. None leaves them as
            they are. Default off, whatever ran before.
    """

    priority: Priority = Priority.BATCH
    cancel: Cancel | None = None
    deadline_s: float | None = None
    mixed_precision: bool | None = False


_CURRENT: ContextVar[Call | None] = ContextVar("call", default=None)


@contextlib.contextmanager
def calling(call: Call) -> Iterator[Call]:
    """Let all jobs from inside belong to ``call``."""
    token = _CURRENT.set(call)
    try:
        yield call
    finally:
        _CURRENT.reset(token)


def current_call() -> Call:
    """Return the call that is being served; outside of any, one of its own that changes nothing."""
    return _CURRENT.get() or Call(mixed_precision=None)
