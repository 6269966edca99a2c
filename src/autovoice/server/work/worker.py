"""The loop of a worker process: claim, run, finish."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from autovoice.errors import (
    AutoVoiceError,
    Cancelled,
    InputError,
    ResourceError,
    UnsupportedAudio,
    VoiceError,
    WeightsError,
)
from autovoice.server.database import DatabaseUnavailable
from autovoice.server.files import FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable, Lease, LeaseLost
from autovoice.server.jobs.presence import Presence
from autovoice.server.settings import WorkerJobs
from autovoice.server.tracing import Span, Tracing
from autovoice.server.work.desk import NO_TRACING, LeaseDesk
from autovoice.server.work.flag import Flag
from autovoice.server.work.runner import Runner, StickyDeviceError, Task, jobs_at_once
from autovoice.server.work.slots import Slots

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
SHORTEST_POLL_S, LONGEST_POLL_S = 0.05, 0.5
# How often the flag is looked at while every place is taken.
PLACE_S = 0.05
CODES: tuple[tuple[type[Exception], str, bool], ...] = (
    (UnsupportedAudio, "unsupported_audio", False),
    (VoiceError, "voice_error", False),
    (InputError, "input_error", False),
    (WeightsError, "weights_missing", True),
    (ResourceError, "out_of_resources", True),
    (MemoryError, "out_of_resources", True),
)


# What the system says of a disk without room, or of a quota that is used up.
FULL = {errno.ENOSPC, errno.EDQUOT}


class Worker:
    """One process's share of the work.

    Args:
        name: unique among all workers that ever were.
        table, files, store: where jobs and files are.
        runner: the engine.
        lease_s: see ``Settings``.
        drain: set from outside to end: jobs at hand stop at their next chunk and are given back.
        jobs: at once, each in a thread; ``auto`` goes by the device of the runner.
        tracing: gets spans of the wait, of the job and of its stages, in the trace of the request.
    """

    def __init__(
        self,
        name: str,
        table: JobTable,
        files: FileTable,
        store: FileStore,
        runner: Runner,
        *,
        lease_s: float,
        drain: Flag,
        jobs: WorkerJobs = 1,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._tracing = tracing
        self.name, self._table, self._files, self._store = name, table, files, store
        self._runner, self._lease_s, self._drain = runner, lease_s, drain
        self._jobs = jobs
        self._presence = Presence(table.database, name, table.clock)

    def run(self) -> int:
        """Work until asked to end.

        Returns:
            0, or 70 when the device is of no use any more.
        """
        begun = time.perf_counter()
        self._presence.tell("loading", self._runner.device)
        self._runner.load()
        load_s = time.perf_counter() - begun
        device = self._runner.device
        slots = Slots(jobs_at_once(self._jobs, device), self.work, self._drain)
        log.info(
            "models are loaded", device=device, seconds=round(load_s, 3), jobs_at_once=slots.count
        )
        with slots:
            self._take(slots, load_s)
        if isinstance(slots.failure, StickyDeviceError):
            log.error("the device is lost, this process ends", problem=str(slots.failure))
            return 70
        if slots.failure is not None:
            raise slots.failure
        return 0

    def _take(self, slots: Slots, load_s: float) -> None:
        """Take jobs as long as there is a place.

        A job that is tried again without having taken a step forward runs alone: the ones beside
        it would end with it once more, until all of them were given up.
        """
        poll_s = SHORTEST_POLL_S
        while not self._drain.is_set():
            try:
                self._presence.tell("ready", self._runner.device, load_s, every_s=5.0)
                if not slots.wait(PLACE_S):
                    continue
                lease = self._table.claim(self.name, self._lease_s, alone=not slots.running)
            except DatabaseUnavailable as error:
                log.warning("no job can be taken now", problem=str(error))
                self._drain.wait(LONGEST_POLL_S)
                continue
            if lease is None:
                self._drain.wait(poll_s)
                poll_s = min(LONGEST_POLL_S, poll_s * 1.5)
                continue
            poll_s = SHORTEST_POLL_S
            slots.start(lease, alone=lease.job.stalled > 1)

    def work(self, lease: Lease) -> None:
        """Run one job and write what came of it.

        Raises:
            StickyDeviceError: after the job was given back.
        """
        job = lease.job
        names = {"job__id": job.id, "job__kind": job.kind, "job__attempt": job.attempt}
        if job.attempt == 1:
            self._tracing.past("queue", job.created_at, job.trace, **names)
        with self._tracing.span("job", job.trace, kind="CONSUMER", **names) as span:
            self._run(lease, span)

    def _run(self, lease: Lease, span: Span) -> None:
        job = lease.job
        told = log.bind(job=job.id, kind=job.kind, attempt=job.attempt)
        told.info("job begins")
        with LeaseDesk(self._table, lease, self._lease_s, self._drain, self._tracing) as desk:
            try:
                outcome = self._runner.run(self._task(lease), desk)
                self._insist(lambda: self._table.finish(lease, outcome, desk.news))
                told.info("job is done")
            except Cancelled:
                self._stopped(lease, desk)
                told.info("job stopped", reason=desk.reason)
            except LeaseLost as error:
                told.warning("job was lost to another worker", problem=str(error))
            except StickyDeviceError as error:
                span.fail("device_lost")
                desk.tell()
                self._failed(lease, "device_lost", str(error), may_pass=True)
                raise
            except Exception as error:
                code, may_pass = _code(error)
                words = str(error) if isinstance(error, AutoVoiceError) else _unexpected(error)
                told.warning("job failed", code=code, problem=words, exc_info=code == "internal")
                span.fail(code)
                desk.tell()
                self._failed(lease, code, words, may_pass=may_pass)

    def _task(self, lease: Lease) -> Task:
        job = lease.job
        inputs = [self._store.path(one.path) for one in self._files.several(job.files)]
        if len(inputs) != len(job.files):
            raise InputError("an uploaded file of this job is gone; submit it again")
        folder = self._store.path(job.folder)
        return Task(job.id, job.kind, job.owner, job.request, inputs, folder, job.attempt)

    def _stopped(self, lease: Lease, desk: LeaseDesk) -> None:
        reason = desk.reason
        desk.tell()
        if reason == "cancel":
            self._settled(lambda: self._table.cancelled(lease))
        elif reason == "drain":
            self._settled(lambda: self._table.release(lease))

    def _failed(self, lease: Lease, code: str, message: str, *, may_pass: bool) -> None:
        self._settled(lambda: self._table.fail(lease, code, message, may_pass=may_pass))

    def _settled(self, write: Callable[[], object]) -> None:
        try:
            self._insist(write)
        except LeaseLost as error:
            log.warning("job was lost to another worker", problem=str(error))

    def _insist(self, write: Callable[[], Result]) -> Result:
        """Write until the database takes it; if the process ends first, the lease runs out."""
        while True:
            try:
                return write()
            except DatabaseUnavailable as error:
                log.warning("the end of a job was not written yet", problem=str(error))
                if self._drain.is_set():
                    raise LeaseLost("the process ends before the database is back") from error
                self._drain.wait(LONGEST_POLL_S)


def _code(error: Exception) -> tuple[str, bool]:
    for kind, code, may_pass in CODES:
        if isinstance(error, kind):
            return code, may_pass
    if isinstance(error, OSError) and error.errno in FULL:
        return "out_of_resources", True
    return "internal", True


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return f"the disk of the service is full ({error.strerror}); nothing half-written was kept"
    return f"the engine failed ({type(error).__name__}); the log of the service tells more"
