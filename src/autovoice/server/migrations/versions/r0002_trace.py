"""Jobs know the trace of the request that made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; jobs of before have no trace."""
    op.add_column("jobs", sa.Column("trace", sa.String(60)))
