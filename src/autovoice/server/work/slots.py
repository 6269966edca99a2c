"""The threads of a worker, each with one job at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from autovoice.server.jobs import Lease
from autovoice.server.work.flag import Flag


class Slots:
    """So many places for jobs; use it as a context manager, whose end waits for all jobs.

    The threads stay: each new one would cost PyTorch a team of threads of its own.

    Args:
        count: of places, at least 1.
        work: runs a job. What it raises is kept as ``failure``, and the others are asked to end.
        drain: raised then.
    """

    def __init__(self, count: int, work: Callable[[Lease], None], drain: Flag) -> None:
        self.count = count
        self.failure: BaseException | None = None
        self._work, self._drain = work, drain
        self._running, self._alone = 0, False
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(count, "job")

    def __enter__(self) -> Slots:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._drain.set()
        self._pool.shutdown()

    @property
    def running(self) -> int:
        """How many jobs run; only ``start`` makes them more."""
        with self._changed:
            return self._running

    def wait(self, seconds: float) -> bool:
        """Wait until there is a place, at most so long; return whether there is one."""
        with self._changed:
            return self._changed.wait_for(self._has_place, seconds)

    def start(self, lease: Lease, *, alone: bool = False) -> None:
        """Run a job in a free place.

        Args:
            lease: what to run.
            alone: until it ends there is no place for another.
        """
        with self._changed:
            self._running, self._alone = self._running + 1, alone
        self._pool.submit(self._run, lease)

    def _has_place(self) -> bool:
        return self._running < self.count and not (self._running and self._alone)

    def _run(self, lease: Lease) -> None:
        try:
            self._work(lease)
        except BaseException as error:  # told by whoever owns the slots: a thread's end is silent
            with self._changed:
                self.failure = self.failure or error
            self._drain.set()
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()
