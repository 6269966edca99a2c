"""How many calls are inside at once: what bounds memory when hundreds come."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from autovoice.engine.progress import Cancel
from autovoice.errors import Cancelled

ASK_S = 0.05


@dataclass(eq=False)
class _Ticket:
    is_long: bool


class Gate:
    """Let a bounded number of calls in, in the order in which they came.

    Long ones may take half of the places only, so that a short one never waits for a song to end.

    Args:
        most: calls inside at once, at least 1.
    """

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"most: found {most}, expected at least 1")
        self.most, self.most_long = most, max(1, most // 2)
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._inside: list[_Ticket] = []

    @contextlib.contextmanager
    def enter(self, *, is_long: bool = False, cancel: Cancel | None = None) -> Iterator[None]:
        """Wait for a place and hold it.

        Args:
            is_long: whether this will take much longer than most.
            cancel: asked while waiting; True gives up. Default: never.

        Raises:
            Cancelled: ``cancel`` said so.
        """
        ticket = _Ticket(is_long)
        self._wait(ticket, cancel)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: _Ticket, cancel: Cancel | None) -> None:
        with self._changed:
            self._waiting.append(ticket)
        while True:
            try:
                with self._changed:
                    if self._next() is not ticket:
                        self._changed.wait(None if cancel is None else ASK_S)
                    if self._next() is ticket:
                        self._waiting.remove(ticket)
                        self._inside.append(ticket)
                        self._changed.notify_all()  # there may be room for one more
                        return
                # Asked outside of the lock: it is the caller's own code.
                if cancel is not None and cancel():
                    raise Cancelled("the conversion was cancelled before it began")
            except BaseException:
                with self._changed:
                    self._waiting.remove(ticket)
                    self._changed.notify_all()
                raise

    def _next(self) -> _Ticket | None:
        """Return who may go in now, if anybody."""
        if len(self._inside) >= self.most:
            return None
        full = sum(ticket.is_long for ticket in self._inside) >= self.most_long
        return next((each for each in self._waiting if not (each.is_long and full)), None)
