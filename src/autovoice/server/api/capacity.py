"""Whether there is room for another job, decided from memory so that a refusal waits for nothing.

The number of jobs that wait or run is read by one thread of its own, never by the threads that
receive songs. A request that was let in is counted until it is a job or has failed, so that a crowd
between two readings is not let in as a whole. The transaction that enters a job has the last word.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor

import structlog

from autovoice.errors import ResourceError
from autovoice.server.api.errors import ApiError

log = structlog.get_logger(__name__)
# A reading older than this is renewed while requests are decided by it,
FRESH_S = 0.05
# and one older than this decides nothing: the request waits for the next.
FULL_S = 0.25


class Capacity:
    """Room in the queue.

    Args:
        count: returns how many jobs wait or run; blocks, and runs in ``reader``.
        most: how many may.
        reader: a thread for short readings.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        count: Callable[[], int],
        most: int,
        reader: Executor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count, self._most, self._reader, self._clock = count, most, reader, clock
        self._known, self._at = 0, -1e9
        self.under_way = 0  # requests that were let in and are not answered yet
        self._reading: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Refuse what the queue has no room for.

        Raises:
            ApiError: 503 with the time to try again.
        """
        age_s = self._clock() - self._at
        if age_s > FRESH_S and not self.is_reading:
            self._reading = asyncio.create_task(self._read())
        if age_s > FULL_S and self._reading is not None:
            await asyncio.shield(self._reading)
        if self._known + self.under_way >= self._most:
            raise ApiError(
                503,
                "queue_full",
                f"{self._most} jobs wait or run already; try again later",
                retry_s=5,
                close=True,
            )

    @property
    def is_reading(self) -> bool:
        """Whether the number of jobs is being read."""
        return self._reading is not None

    @contextlib.contextmanager
    def coming(self) -> Iterator[None]:
        """Count a request that was let in, until it is answered."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def added(self) -> None:
        """Count a job that was entered, until the next reading."""
        self._known += 1

    async def _read(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            self._known = await loop.run_in_executor(self._reader, self._count)
            self._at = self._clock()
        except ResourceError as error:  # whoever is let in is told so when the job is entered
            log.warning("the queue cannot be counted now", problem=str(error))
        finally:
            self._reading = None
