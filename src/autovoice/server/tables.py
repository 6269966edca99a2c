"""The tables of the service, as SQLAlchemy describes them.

Times are seconds since 1970 (UTC); JSON columns hold objects. ``migrations`` makes the same tables,
and a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("request", JSON, nullable=False),
    Column("files", JSON, nullable=False),
    Column("folder", String(80), nullable=False),
    Column("audio_s", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("not_before", Float, nullable=False),
    Column("worker", String(80)),
    Column("lease_token", String(40)),
    Column("lease_until", Float),
    Column("heartbeat_at", Float),
    Column("attempt", Integer, nullable=False),
    Column("stalled", Integer, nullable=False),
    Column("stage", String(40)),
    Column("overall", Float, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("chunks_done", Integer, nullable=False),
    Column("chunks_total", Integer),
    Column("cancel_requested", Boolean, nullable=False),
    Column("result", JSON),
    Column("error", JSON),
    Column("idempotency_key", String(200)),
    Column("body_hash", String(64)),
    Column("trace", String(60)),
    Column("version", Integer, nullable=False),
    UniqueConstraint("owner", "idempotency_key", name="jobs_idempotency"),
    Index("jobs_state", "state", "created_at"),
    Index("jobs_owner", "owner", "created_at"),
)

files = Table(
    "files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("path", String(80), nullable=False),
    Column("name", String(255), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("seconds", Float),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    Index("files_owner", "owner", "created_at"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)

# Counters and histograms that outlive processes, changed in the transactions that they count.
tallies = Table(
    "tallies",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("label", String(80), primary_key=True),
    Column("bound", Float, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
)

# Audio submitted per owner and hour, for quotas; outlives the jobs.
usage = Table(
    "usage",
    metadata,
    Column("owner", String(40), primary_key=True),
    Column("hour", Integer, primary_key=True),
    Column("audio_s", Float, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("device", String(40), nullable=False),
    Column("heartbeat_at", Float, nullable=False),
    Column("load_s", Float),
)
