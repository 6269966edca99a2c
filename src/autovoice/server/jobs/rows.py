"""Rows of the table of jobs to records, and changes of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, update

from autovoice.server.jobs.records import Job, StoredFile
from autovoice.server.tables import files, jobs


def job_of(row: Row[Any]) -> Job:
    """Return the record of a row of all columns."""
    return Job(**row._asdict())


def change(connection: Connection, job: Job, now: float, **values: Any) -> bool:
    """Change a row, unless it has another lease than ``job`` by now; return whether it did."""
    where = [jobs.c.id == job.id, jobs.c.lease_token.is_(job.lease_token)]
    if job.lease_token is not None:
        where[1] = jobs.c.lease_token == job.lease_token
    done = connection.execute(
        update(jobs).where(*where).values(updated_at=now, version=jobs.c.version + 1, **values)
    )
    return bool(done.rowcount == 1)


def enter(connection: Connection, new: Sequence[StoredFile]) -> None:
    """Enter files that were received."""
    connection.execute(files.insert(), [asdict(one) for one in new])


def touch(connection: Connection, ids: Sequence[str], now: float, finer_s: float) -> None:
    """Note that files are used, where what is noted is older than ``finer_s``."""
    old = files.c.used_at < now - finer_s
    connection.execute(update(files).where(files.c.id.in_(ids), old).values(used_at=now))
