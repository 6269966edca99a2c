"""Follow jobs: one query now and then for all who watch, and the newest state for each of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import structlog
from starlette.concurrency import run_in_threadpool

from autovoice.server.database import DatabaseUnavailable
from autovoice.server.jobs import Job, JobTable

log = structlog.get_logger(__name__)
EVERY_S = 0.25
Result = TypeVar("Result")


class Watcher:
    """Look at watched jobs four times a second; a slow reader misses states, never the last one.

    Args:
        table: of jobs.
    """

    def __init__(self, table: JobTable) -> None:
        self._table = table
        self._watched: dict[str, set[asyncio.Queue[Job]]] = defaultdict(set)
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if self._watched:
                try:
                    await self._look()
                except DatabaseUnavailable as error:
                    log.warning("jobs cannot be followed now", problem=str(error))

    async def _look(self) -> None:
        found = await to_its_end(self._table.several, list(self._watched))
        for job in found:
            if self._seen.get(job.id) == job.version:
                continue
            self._seen[job.id] = job.version
            for queue in self._watched.get(job.id, ()):
                _replace(queue, job)

    @contextlib.asynccontextmanager
    async def follow(self, job_id: str) -> AsyncIterator[asyncio.Queue[Job]]:
        """Yield a queue of one that holds the newest state whenever there is a new one."""
        queue: asyncio.Queue[Job] = asyncio.Queue(maxsize=1)
        self._watched[job_id].add(queue)
        self._seen.pop(job_id, None)
        try:
            yield queue
        finally:
            self._watched[job_id].discard(queue)
            if not self._watched[job_id]:
                del self._watched[job_id]
                self._seen.pop(job_id, None)


async def to_its_end(work: Callable[..., Result], *arguments: Any) -> Result:
    """Run work in a thread; a caller who is cancelled meanwhile still waits until it has ended.

    So the database is closed after the last who uses it, and no connection is left open.
    """
    running = asyncio.ensure_future(run_in_threadpool(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


def _replace(queue: asyncio.Queue[Job], job: Job) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(job)
