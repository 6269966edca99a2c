"""What the live process tells of its engine: written now and then, as nobody asks it."""

from __future__ import annotations

import asyncio

import structlog

from autovoice.server.database import Database, DatabaseUnavailable
from autovoice.server.jobs import tallies
from autovoice.server.jobs.batches import Batches
from autovoice.server.jobs.records import Observation

log = structlog.get_logger(__name__)
EVERY_S = 5.0


class Figures:
    """Sizes of batches, on their way into the database.

    Args:
        database: of the service.
        batches: of the engine.
        every_s: pause between two writings.
    """

    def __init__(self, database: Database, batches: Batches, every_s: float = EVERY_S) -> None:
        self._database, self._batches, self._every_s = database, batches, every_s
        self._waiting: tuple[Observation, ...] = ()

    def write(self) -> None:
        """Write what is new; what cannot be written now waits for the next time."""
        self._waiting += self._batches.fresh()
        if not self._waiting:
            return
        try:
            with self._database.write() as connection:
                tallies.observe(connection, self._waiting)
        except DatabaseUnavailable as error:
            log.warning("figures were not written yet", problem=str(error))
        else:
            self._waiting = ()

    async def run(self) -> None:
        """Write now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            await asyncio.to_thread(self.write)
