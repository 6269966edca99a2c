"""Look at jobs for many callers at once: one query for all who ask while the one before runs.

Whoever asks sees the job as it is after the question, never an older state. A job that has not
changed since it was last asked for is not read and written as JSON again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import chain

from autovoice.server.api.schemas import job_body
from autovoice.server.jobs import JobNotFound, JobTable

MOST_KEPT = 4096
# Whose it is, and what is told of it; None where there is no such job.
Look = tuple[str, bytes]


class Looks:
    """The jobs as callers see them.

    Args:
        table: of jobs.
        reader: a thread for short readings; only there is the memory of jobs touched.
    """

    def __init__(self, table: JobTable, reader: Executor) -> None:
        self._table, self._reader = table, reader
        self._kept: OrderedDict[str, tuple[int, Look]] = OrderedDict()
        self._asked: dict[str, list[asyncio.Future[Look | None]]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, job_id: str, owner: str) -> bytes:
        """Return a job as JSON.

        Raises:
            JobNotFound: there is none, or it is another's.
            DatabaseUnavailable: it cannot be read now.
        """
        future: asyncio.Future[Look | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(job_id, []).append(future)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        found = await future
        if found is None or found[0] != owner:
            raise JobNotFound(f"no job {job_id[:60]!r} was found; GET /api/v1/jobs lists yours")
        return found[1]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._asked:
                asked, self._asked = self._asked, {}
                try:
                    found = await loop.run_in_executor(self._reader, self._read, list(asked))
                except Exception as error:  # told to everybody who asked
                    for future in chain.from_iterable(asked.values()):
                        if not future.done():  # whoever asked may have gone away
                            future.set_exception(error)
                    continue
                for job_id, futures in asked.items():
                    look = found.get(job_id)
                    for future in futures:
                        if not future.done():
                            future.set_result(look)
        finally:
            self._running = None

    def _read(self, ids: Sequence[str]) -> Mapping[str, Look]:
        versions = self._table.versions(ids)
        stale = [one for one, v in versions.items() if self._kept.get(one, (None,))[0] != v]
        for job in self._table.several(stale) if stale else ():
            look = (job.owner, job_body(job).model_dump_json().encode())
            self._kept[job.id] = (job.version, look)
        found: dict[str, Look] = {}
        for job_id in versions:
            if job_id in self._kept:
                self._kept.move_to_end(job_id)
                found[job_id] = self._kept[job_id][1]
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found
