"""A data folder, a database and a table of jobs for each test.

``AUTOVOICE_TEST_DATABASE_URL`` runs the same tests against an empty PostgreSQL database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_desk import Clock
from sqlalchemy import text

from autovoice.server import tables
from autovoice.server.database import Database
from autovoice.server.jobs import JobTable
from autovoice.server.migrations import upgrade

OTHER_DATABASE = os.environ.get("AUTOVOICE_TEST_DATABASE_URL")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(OTHER_DATABASE or f"sqlite:///{tmp_path / 'jobs.sqlite3'}", busy_s=5.0)
    upgrade(made)
    yield made
    if OTHER_DATABASE:
        tables.metadata.drop_all(made.engine)
        with made.write() as connection:
            connection.execute(text("DROP TABLE alembic_version"))
    made.close()


@pytest.fixture
def table(database: Database, clock: Clock) -> JobTable:
    return JobTable(database, clock=clock)
