"""Rows of the table of jobs to records, and changes of rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, update

from autovoice.server.jobs.records import Job
from autovoice.server.tables import jobs


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
