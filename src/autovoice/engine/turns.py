"""Who may use the networks now: live sound goes before songs, and each in the order it came."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator


class Turns:
    """A lock with two queues: whoever waits for a live turn goes before all others.

    Not reentrant. A long piece of work gives way between its pieces with ``give_way``.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._taken = False
        self._live: deque[object] = deque()
        self._batch: deque[object] = deque()

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Have the networks for one chunk of live sound."""
        with self._turn(self._live):
            yield

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Have the networks for a song or a sentence."""
        with self._turn(self._batch):
            yield

    def give_way(self) -> None:
        """Let all that waits for live turns go first; called by whoever has a batch turn."""
        with self._condition:
            if not self._live:
                return
            # Back to the front of its own queue: other songs do not overtake.
            mark = object()
            self._batch.appendleft(mark)
            self._taken = False
            self._condition.notify_all()
            self._take(self._batch, mark)

    @contextlib.contextmanager
    def _turn(self, queue: deque[object]) -> Iterator[None]:
        mark = object()
        with self._condition:
            queue.append(mark)
            self._take(queue, mark)
        try:
            yield
        finally:
            with self._condition:
                self._taken = False
                self._condition.notify_all()

    def _take(self, queue: deque[object], mark: object) -> None:
        try:
            self._condition.wait_for(lambda: not self._taken and self._next() is mark)
        finally:
            queue.remove(mark)
        self._taken = True

    def _next(self) -> object:
        return self._live[0] if self._live else self._batch[0]
