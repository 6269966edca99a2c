"""How many pieces shared each pass of an engine, as values for a histogram that outlives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from autovoice.server.jobs.records import Observation
from autovoice.server.jobs.tallies import BATCH_SIZE


class Batches:
    """What was not told yet of an engine's passes; may be asked from several threads.

    Args:
        sizes: returns how many passes had each number of pieces, since the engine was made.
        process: what kind of process it is in.
    """

    def __init__(self, sizes: Callable[[], Mapping[int, int]], process: str) -> None:
        self._sizes, self._process = sizes, process
        self._told: Mapping[int, int] = {}
        self._lock = threading.Lock()

    def fresh(self) -> tuple[Observation, ...]:
        """Return the passes since the last call, each size once."""
        with self._lock:  # around the reading as well: an older one must not come second
            now, before = self._sizes(), self._told
            self._told = now
        return tuple(
            Observation(BATCH_SIZE, self._process, float(size), count - before.get(size, 0))
            for size, count in sorted(now.items())
            if count > before.get(size, 0)
        )
