"""The first tables: jobs, files, keys, tallies, usage, workers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _jobs()
    op.create_table(
        "files",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("path", sa.String(80), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
    )
    op.create_index("files_owner", "files", ["owner", "created_at"])
    _small()


def _jobs() -> None:
    required = (
        ("owner", sa.String(40)),
        ("kind", sa.String(40)),
        ("state", sa.String(20)),
        ("request", sa.JSON),
        ("files", sa.JSON),
        ("folder", sa.String(80)),
        ("audio_s", sa.Float),
        ("bytes", sa.BigInteger),
        ("created_at", sa.Float),
        ("updated_at", sa.Float),
        ("not_before", sa.Float),
        ("attempt", sa.Integer),
        ("stalled", sa.Integer),
        ("overall", sa.Float),
        ("progress", sa.JSON),
        ("chunks_done", sa.Integer),
        ("cancel_requested", sa.Boolean),
        ("version", sa.Integer),
    )
    optional = (
        ("started_at", sa.Float),
        ("finished_at", sa.Float),
        ("worker", sa.String(80)),
        ("lease_token", sa.String(40)),
        ("lease_until", sa.Float),
        ("heartbeat_at", sa.Float),
        ("stage", sa.String(40)),
        ("chunks_total", sa.Integer),
        ("result", sa.JSON),
        ("error", sa.JSON),
        ("idempotency_key", sa.String(200)),
        ("body_hash", sa.String(64)),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), primary_key=True),
        *(sa.Column(name, kind, nullable=False) for name, kind in required),
        *(sa.Column(name, kind) for name, kind in optional),
        sa.UniqueConstraint("owner", "idempotency_key", name="jobs_idempotency"),
    )
    op.create_index("jobs_state", "jobs", ["state", "created_at"])
    op.create_index("jobs_owner", "jobs", ["owner", "created_at"])


def _small() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("label", sa.String(80), primary_key=True),
        sa.Column("bound", sa.Float, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
    )
    op.create_table(
        "usage",
        sa.Column("owner", sa.String(40), primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True),
        sa.Column("audio_s", sa.Float, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("device", sa.String(40), nullable=False),
        sa.Column("heartbeat_at", sa.Float, nullable=False),
        sa.Column("load_s", sa.Float),
    )
