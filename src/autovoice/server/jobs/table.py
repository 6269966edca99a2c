"""Accept, look up and cancel jobs: what the API does with the table."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, text, update

from autovoice.errors import InputError
from autovoice.server.database import Database
from autovoice.server.jobs import tallies
from autovoice.server.jobs.leases import LeaseDesk
from autovoice.server.jobs.records import (
    ACTIVE,
    CANCELLED,
    FINISHED,
    QUEUED,
    Job,
    Limits,
    NewJob,
    StoredFile,
)
from autovoice.server.jobs.refusals import (
    IdempotencyConflict,
    JobNotFound,
    QueueFull,
    QuotaExceeded,
)
from autovoice.server.jobs.rows import change, enter, job_of, touch
from autovoice.server.tables import jobs, usage

DAY_H = 24
# Retention counts in hours at least: the time of the last use need not be finer than this.
TOUCH_S = 60.0
_SUBMIT_LOCK = 7_220_901  # an advisory lock of PostgreSQL, this program's own


class JobTable(LeaseDesk):
    """The table of jobs; every method is one transaction.

    Args:
        database: where it is.
        clock: seconds since 1970. Default the system's.
        attempts: without progress, after which a job fails. Default 3.
        random_hex: makes ids and tokens; takes their length in bytes. Default the system's.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        attempts: int = 3,
        random_hex: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        super().__init__(database, clock, attempts, random_hex)

    def submit(
        self,
        new: NewJob,
        limits: Limits = Limits(),  # noqa: B008
        received: Sequence[StoredFile] = (),
    ) -> tuple[Job, bool]:
        """Accept a job, or find the one that the same key accepted before.

        Args:
            new: the job.
            limits: which it must not exceed.
            received: those of its files that came with it; they are entered with a new job only.

        Returns:
            The job, and whether it is new.

        Raises:
            IdempotencyConflict: the key belongs to another request.
            QueueFull, QuotaExceeded: a limit is reached.
            DatabaseUnavailable: nothing was accepted.
        """
        with self.database.write() as connection:
            if not self.database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_SUBMIT_LOCK})"))
            known = self._known(connection, new)
            if known is not None:
                return known, False
            now = self.clock()
            _check(connection, new, limits, now)
            row = _row(f"job_{self.random_hex(12)}", new, now)
            if received:
                enter(connection, received)
            elif new.files:
                touch(connection, new.files, now, TOUCH_S)
            connection.execute(jobs.insert().values(**row))
            tallies.count(connection, tallies.SUBMITTED, new.kind)
            if new.audio_s:
                tallies.use_audio(connection, new.owner, int(now // 3600), new.audio_s)
            return _find(connection, row["id"], None), True

    def known(self, owner: str, idempotency_key: str) -> Job | None:
        """Return the job that an idempotency key accepted, or None."""
        with self.database.read() as connection:
            found = connection.execute(
                select(jobs).where(jobs.c.owner == owner, jobs.c.idempotency_key == idempotency_key)
            ).first()
        return None if found is None else job_of(found)

    def _known(self, connection: Connection, new: NewJob) -> Job | None:
        if new.idempotency_key is None:
            return None
        found = connection.execute(
            select(jobs).where(
                jobs.c.owner == new.owner, jobs.c.idempotency_key == new.idempotency_key
            )
        ).first()
        if found is None:
            return None
        job = job_of(found)
        if job.body_hash != new.body_hash:
            raise IdempotencyConflict(
                f"the idempotency key was used for job {job.id} with another request; "
                "take a new key for a new request"
            )
        return job

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """Return a job.

        Args:
            job_id: of the job.
            owner: whose it has to be; None for anybody's.

        Raises:
            JobNotFound: there is none; that it is another's is told in the same words.
        """
        with self.database.read() as connection:
            return _find(connection, job_id, owner)

    def list(
        self,
        owner: str | None,
        *,
        state: str | None = None,
        limit: int = 50,
        before: tuple[float, str] | None = None,
    ) -> Sequence[Job]:
        """Return jobs, the newest first.

        Args:
            owner: whose; None for everybody's.
            state: only these.
            limit: at most so many.
            before: only older ones than this ``(created_at, id)``.
        """
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if state is not None:
            query = query.where(jobs.c.state == state)
        if before is not None:
            at, last = before
            older = and_(jobs.c.created_at == at, jobs.c.id < last)
            query = query.where(or_(jobs.c.created_at < at, older))
        with self.database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def several(self, ids: Sequence[str]) -> Sequence[Job]:
        """Return those of the jobs that exist."""
        with self.database.read() as connection:
            rows = connection.execute(select(jobs).where(jobs.c.id.in_(ids)))
            return [job_of(row) for row in rows]

    def versions(self, ids: Sequence[str]) -> Mapping[str, int]:
        """Return how often each of those jobs that exist has changed."""
        with self.database.read() as connection:
            query = select(jobs.c.id, jobs.c.version).where(jobs.c.id.in_(ids))
            return {row.id: row.version for row in connection.execute(query)}

    def known_folders(self, folders: Sequence[str]) -> set[str]:
        """Return those of the folders that belong to a job."""
        with self.database.read() as connection:
            query = select(jobs.c.folder).where(jobs.c.folder.in_(folders))
            return set(connection.execute(query).scalars())

    def is_empty(self) -> bool:
        """Tell whether there is no job."""
        with self.database.read() as connection:
            return connection.execute(select(jobs.c.id).limit(1)).first() is None

    def request_cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Ask a job to stop: one that waits is cancelled now, one that runs within a chunk.

        Raises:
            JobNotFound: see ``get``.
        """
        now = self.clock()
        with self.database.write() as connection:
            job = _find(connection, job_id, owner, lock=True)
            if job.is_finished or (job.cancel_requested and not self._is_stale(job, now)):
                return job
            if job.state == QUEUED or self._is_stale(job, now):
                change(connection, job, now, state=CANCELLED, finished_at=now, lease_token=None)
                tallies.count(connection, tallies.FINISHED, f"{job.kind}|{CANCELLED}")
            else:
                change(connection, job, now, cancel_requested=True)
            return _find(connection, job_id, owner)

    def forget(self, job_id: str, owner: str | None = None) -> Job:
        """Take a finished job out of the table and return it.

        Raises:
            JobNotFound: see ``get``.
            InputError: it is not finished.
        """
        with self.database.write() as connection:
            job = _find(connection, job_id, owner, lock=True)
            if not job.is_finished:
                raise InputError(f"job {job_id} is {job.state}; cancel it first")
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            return job

    def expired(self, before: float, limit: int = 100) -> Sequence[Job]:
        """Return jobs that were finished before a time, the oldest first."""
        query = (
            select(jobs)
            .where(jobs.c.state.in_(FINISHED), jobs.c.finished_at < before)
            .order_by(jobs.c.finished_at)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [job_of(row) for row in connection.execute(query)]

    def bytes_used(self) -> int:
        """Return how much the results of all jobs take."""
        with self.database.read() as connection:
            return int(
                connection.execute(select(func.coalesce(func.sum(jobs.c.bytes), 0))).scalar_one()
            )

    def active(self) -> int:
        """Return how many jobs wait or run."""
        with self.database.read() as connection:
            return _active(connection)

    def wake(self) -> None:
        """Let every job that waits after an error be taken at once."""
        with self.database.write() as connection:
            connection.execute(update(jobs).where(jobs.c.state == QUEUED).values(not_before=0.0))


def _check(connection: Connection, new: NewJob, limits: Limits, now: float) -> None:
    if limits.active and _active(connection) >= limits.active:
        raise QueueFull(
            f"{limits.active} jobs wait or run already, which is all that is accepted; "
            "try again later"
        )
    if limits.own_active and _active(connection, new.owner) >= limits.own_active:
        raise QuotaExceeded(
            f"{limits.own_active} of your jobs wait or run already, which is your limit; "
            "try again when one has finished",
            5.0,
        )
    if limits.own_audio_s:
        since = int(now // 3600) - DAY_H + 1
        used = connection.execute(
            select(func.coalesce(func.sum(usage.c.audio_s), 0.0)).where(
                usage.c.owner == new.owner, usage.c.hour >= since
            )
        ).scalar_one()
        if used + new.audio_s > limits.own_audio_s:
            raise QuotaExceeded(
                f"found {used / 60:.1f} minutes of audio in the last {DAY_H} hours and "
                f"{new.audio_s / 60:.1f} more, your limit is {limits.own_audio_s / 60:.1f}",
                3600.0,
            )


def _active(connection: Connection, owner: str | None = None) -> int:
    query = select(func.count()).select_from(jobs).where(jobs.c.state.in_(ACTIVE))
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    return int(connection.execute(query).scalar_one())


def _find(connection: Connection, job_id: str, owner: str | None, *, lock: bool = False) -> Job:
    query = select(jobs).where(jobs.c.id == job_id)
    if owner is not None:
        query = query.where(jobs.c.owner == owner)
    found = connection.execute(query.with_for_update() if lock else query).first()
    if found is None:
        raise JobNotFound(f"no job {job_id[:60]!r} was found; GET /api/v1/jobs lists yours")
    return job_of(found)


def _row(job_id: str, new: NewJob, now: float) -> dict[str, Any]:
    return {
        "id": job_id,
        "owner": new.owner,
        "kind": new.kind,
        "state": QUEUED,
        "request": dict(new.request),
        "files": list(new.files),
        "folder": new.folder,
        "audio_s": new.audio_s,
        "bytes": 0,
        "created_at": now,
        "updated_at": now,
        "not_before": 0.0,
        "attempt": 0,
        "stalled": 0,
        "overall": 0.0,
        "progress": {},
        "chunks_done": 0,
        "cancel_requested": False,
        "idempotency_key": new.idempotency_key,
        "body_hash": new.body_hash,
        "trace": new.trace,
        "version": 1,
    }
