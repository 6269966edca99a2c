"""Take jobs for a while: what workers do with the table.

A lease is a token and a time. Whoever has the token may write; when the time is over somebody else
may take the job under a new token, after which the old one is worth nothing. So a job is finished
once, however many workers died over it or woke up late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, or_, select, update

from autovoice.server.database import Database
from autovoice.server.jobs import tallies
from autovoice.server.jobs.records import (
    CANCELLED,
    DONE,
    FAILED,
    QUEUED,
    RUNNING,
    SPOKEN_NOW,
    Job,
    Lease,
    News,
    Observation,
    Outcome,
    Signal,
)
from autovoice.server.jobs.refusals import LeaseLost
from autovoice.server.jobs.rows import change, job_of
from autovoice.server.tables import jobs, workers

# After an error that may pass, wait so long before the next attempt, times two for each.
RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
WORKER_LOST = "worker_lost"


class LeaseDesk:
    """The workers' half of the table of jobs; every method is one transaction."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        attempts: int,
        random_hex: Callable[[int], str],
    ) -> None:
        self.database = database
        self.clock = clock
        self.attempts = attempts
        self.random_hex = random_hex

    def claim(self, worker: str, lease_s: float, *, alone: bool = True) -> Lease | None:
        """Take the oldest job that nobody has, or whose worker has been silent for too long.

        Speech that a caller waits for comes before all else.

        A job that was taken ``attempts`` times without a step forward fails instead, so that one
        that kills its worker cannot stop the others.

        Args:
            worker: who takes it.
            lease_s: for how long, until the next heartbeat.
            alone: whether no other job runs in this worker. Otherwise nothing is taken while it
                is the turn of a job whose last attempt ended without a step forward.
        """
        while True:
            now = self.clock()
            with self.database.write() as connection:
                job = _next(connection, now)
                if job is None:
                    return None
                if not alone and job.stalled and not self._is_over(job):
                    return None
                if job.state == RUNNING:  # nobody saw its worker end
                    tallies.count(connection, tallies.ERRORS, f"{job.kind}|{WORKER_LOST}")
                if not self._given_up(connection, job, now):
                    return self._taken(connection, job, worker, now + lease_s)

    def _is_over(self, job: Job) -> bool:
        """Tell whether a job is not worth another attempt."""
        return job.cancel_requested or job.stalled >= self.attempts

    def _given_up(self, connection: Connection, job: Job, now: float) -> bool:
        """End a job that is not worth another attempt."""
        if job.cancel_requested:
            self._end(connection, job, CANCELLED, now, ())
            return True
        if job.stalled >= self.attempts:
            told = job.error or {
                "code": WORKER_LOST,
                "message": f"{job.stalled} workers ended over this job without a step forward; "
                "the song or the machine is at fault, not the queue",
            }
            self._end(connection, job, FAILED, now, (), error=dict(told))
            return True
        return False

    def _taken(self, connection: Connection, job: Job, worker: str, until: float) -> Lease:
        token, now = self.random_hex(16), self.clock()
        values: dict[str, Any] = {
            "state": RUNNING,
            "worker": worker,
            "lease_token": token,
            "lease_until": until,
            "heartbeat_at": now,
            "attempt": job.attempt + 1,
            "stalled": job.stalled + 1,
            "started_at": now if job.started_at is None else job.started_at,
        }
        change(connection, job, now, **values)
        row = connection.execute(select(jobs).where(jobs.c.id == job.id)).one()
        return Lease(job_of(row), token)

    def heartbeat(self, lease: Lease, lease_s: float) -> Signal:
        """Keep a lease, and hear whether to go on."""
        with self.database.write() as connection:
            now = self.clock()
            done = connection.execute(
                update(jobs)
                .where(jobs.c.id == lease.job.id, jobs.c.lease_token == lease.token)
                .values(lease_until=now + lease_s, heartbeat_at=now)
            )
            if done.rowcount != 1:
                return "lost"
            query = select(jobs.c.cancel_requested).where(jobs.c.id == lease.job.id)
            return "cancel" if connection.execute(query).scalar_one() else "held"

    def signal(self, lease: Lease) -> Signal:
        """Hear whether to go on, without writing."""
        with self.database.read() as connection:
            query = select(jobs.c.cancel_requested).where(
                jobs.c.id == lease.job.id, jobs.c.lease_token == lease.token
            )
            found = connection.execute(query).first()
        if found is None:
            return "lost"
        return "cancel" if found[0] else "held"

    def report(self, lease: Lease, news: News, lease_s: float | None = None) -> Signal:
        """Say how far a job is, and hear whether to go on.

        Args:
            lease: on it.
            news: what is new; a step forward in chunks forgives earlier attempts.
            lease_s: keep the lease for so long, too, as ``heartbeat`` does.
        """
        with self.database.write() as connection:
            job, now = _held(connection, lease), self.clock()
            if job is None:
                return "lost"
            values: dict[str, Any] = {
                "overall": max(job.overall, news.overall),
                "progress": {**job.progress, **news.progress},
            }
            if news.stage:
                values["stage"] = news.stage
            if news.chunks is not None:
                done, total = news.chunks
                values["chunks_done"] = max(job.chunks_done, done)
                values["chunks_total"] = total
                values["stalled"] = 0 if done > job.chunks_done else job.stalled
            if lease_s is not None:
                values["lease_until"], values["heartbeat_at"] = now + lease_s, now
            change(connection, job, now, **values)
            return "cancel" if job.cancel_requested else "held"

    def finish(self, lease: Lease, outcome: Outcome, news: News | None = None) -> None:
        """End a job well. A job whose cancelling came too late is done.

        Args:
            lease: on it.
            outcome: what came of it.
            news: how far its stages and chunks are, where that was not told yet.

        Raises:
            LeaseLost: another has it; nothing was changed.
        """
        now = self.clock()
        with self.database.write() as connection:
            job = self._mine(connection, lease)
            begun = job.started_at or now
            observations = (
                Observation("job_queue_wait_seconds", job.kind, max(0.0, begun - job.created_at)),
                Observation("job_duration_seconds", job.kind, max(0.0, now - begun)),
                *outcome.observations,
            )
            extra = outcome.audio_s - job.audio_s
            if extra > 0:  # the header claimed less than there was
                tallies.use_audio(connection, job.owner, int(now // 3600), extra)
            values: dict[str, Any] = {
                "result": dict(outcome.result),
                "bytes": outcome.bytes,
                "overall": 1.0,
            }
            values["audio_s"] = outcome.audio_s or job.audio_s
            if news is not None:
                values["progress"] = {**job.progress, **news.progress}
                if news.chunks is not None:
                    values["chunks_done"] = max(job.chunks_done, news.chunks[0])
                    values["chunks_total"] = news.chunks[1]
            self._end(connection, job, DONE, now, observations, error=None, **values)

    def fail(self, lease: Lease, code: str, message: str, *, may_pass: bool = False) -> Job:
        """Note an error; one that may pass is tried again later, up to ``attempts`` times.

        Returns:
            The job as it is now: failed, or queued again.

        Raises:
            LeaseLost: another has it; nothing was changed.
        """
        now = self.clock()
        with self.database.write() as connection:
            job = self._mine(connection, lease)
            error = {"code": code, "message": message}
            tallies.count(connection, tallies.ERRORS, f"{job.kind}|{code}")
            if job.cancel_requested:
                self._end(connection, job, CANCELLED, now, ())
            elif may_pass and job.stalled < self.attempts:
                wait_s = min(LONGEST_RETRY_S, RETRY_S * 2 ** (max(job.stalled, 1) - 1))
                _back(connection, job, now, not_before=now + wait_s, error=error)
            else:
                self._end(connection, job, FAILED, now, (), error=error)
            row = connection.execute(select(jobs).where(jobs.c.id == job.id)).one()
            return job_of(row)

    def cancelled(self, lease: Lease) -> None:
        """End a job as its owner asked.

        Raises:
            LeaseLost: another has it; nothing was changed.
        """
        with self.database.write() as connection:
            self._end(connection, self._mine(connection, lease), CANCELLED, self.clock(), ())

    def release(self, lease: Lease) -> None:
        """Give a job back unharmed: the worker stops, and the attempt does not count."""
        with self.database.write() as connection:
            job = _held(connection, lease)
            if job is not None:
                counts = {"attempt": job.attempt - 1, "stalled": max(0, job.stalled - 1)}
                _back(connection, job, self.clock(), **counts)

    def abandon(self, worker: str) -> int:
        """Give back the jobs of a worker that is known to be dead; return how many."""
        with self.database.write() as connection:
            connection.execute(workers.delete().where(workers.c.id == worker))
            rows = connection.execute(
                select(jobs).where(jobs.c.worker == worker, jobs.c.state == RUNNING)
            ).all()
            for row in rows:
                tallies.count(connection, tallies.ERRORS, f"{row.kind}|{WORKER_LOST}")
                _back(connection, job_of(row), self.clock())
            return len(rows)

    def workers_of(self, instance: str) -> Sequence[str]:
        """Return the workers of one data folder that hold jobs or are entered as present."""
        start = f"{instance}-"
        with self.database.read() as connection:
            entered = select(workers.c.id).where(workers.c.id.startswith(start, autoescape=True))
            held = select(jobs.c.worker).where(
                jobs.c.state == RUNNING, jobs.c.worker.startswith(start, autoescape=True)
            )
            return sorted(set(connection.execute(entered.union(held)).scalars()))

    def _is_stale(self, job: Job, now: float) -> bool:
        return job.state == RUNNING and job.lease_until is not None and job.lease_until < now

    def _mine(self, connection: Connection, lease: Lease) -> Job:
        job = _held(connection, lease)
        if job is None:
            raise LeaseLost(f"job {lease.job.id} belongs to another worker now")
        return job

    def _end(
        self,
        connection: Connection,
        job: Job,
        state: str,
        now: float,
        observations: tuple[Observation, ...],
        **values: Any,
    ) -> None:
        ended = {"state": state, "finished_at": now, "lease_token": None, "lease_until": None}
        if change(connection, job, now, **ended, **values):
            tallies.count(connection, tallies.FINISHED, f"{job.kind}|{state}")
            tallies.observe(connection, observations)


def _next(connection: Connection, now: float) -> Job | None:
    waiting = and_(jobs.c.state == QUEUED, jobs.c.not_before <= now)
    silent = and_(jobs.c.state == RUNNING, jobs.c.lease_until < now)
    first = case((jobs.c.kind == SPOKEN_NOW, 0), else_=1)
    query = (
        select(jobs)
        .where(or_(waiting, silent))
        .order_by(first, jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found = connection.execute(query).first()
    return None if found is None else job_of(found)


def _held(connection: Connection, lease: Lease) -> Job | None:
    query = select(jobs).where(jobs.c.id == lease.job.id, jobs.c.lease_token == lease.token)
    found = connection.execute(query.with_for_update()).first()
    return None if found is None else job_of(found)


def _back(connection: Connection, job: Job, now: float, **values: Any) -> None:
    change(
        connection,
        job,
        now,
        state=QUEUED,
        lease_token=None,
        lease_until=None,
        worker=None,
        **values,
    )
