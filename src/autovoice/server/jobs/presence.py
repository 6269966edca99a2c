"""Which workers are there, so that the service can tell whether it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from autovoice.server.database import Database
from autovoice.server.jobs.records import RUNNING
from autovoice.server.tables import jobs, workers

SILENT_S = 30.0


@dataclass(frozen=True)
class WorkerRecord:
    """A worker that was heard of lately."""

    id: str
    state: str
    device: str
    heartbeat_at: float
    load_s: float | None


class Presence:
    """A worker's entry.

    Args:
        database: where it is.
        name: of the worker.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, name: str, clock: Callable[[], float]) -> None:
        self._database, self._name, self._clock = database, name, clock
        self._told_at = -1e9

    def tell(
        self, state: str, device: str, load_s: float | None = None, *, every_s: float = 0.0
    ) -> None:
        """Write the entry, unless that was less than ``every_s`` ago.

        Raises:
            DatabaseUnavailable: it cannot be written now.
        """
        if time.monotonic() - self._told_at < every_s:
            return
        row = {"id": self._name, "state": state, "device": device, "load_s": load_s}
        with self._database.write() as connection:
            connection.execute(delete(workers).where(workers.c.id == self._name))
            connection.execute(workers.insert().values(**row, heartbeat_at=self._clock()))
        self._told_at = time.monotonic() if state == "ready" else -1e9


def present(database: Database, now: float) -> Sequence[WorkerRecord]:
    """Return the workers that were heard of in the last 30 seconds, or hold a job."""
    with database.read() as connection:
        rows = connection.execute(select(workers)).all()
        busy = select(jobs.c.worker).where(jobs.c.state == RUNNING, jobs.c.lease_until > now)
        holders = set(connection.execute(busy).scalars())
    found = [WorkerRecord(**row._asdict()) for row in rows]
    return [one for one in found if one.heartbeat_at > now - SILENT_S or one.id in holders]
