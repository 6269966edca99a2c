"""A data folder, a database and a table of jobs for each test.

``AUTOVOICE_TEST_DATABASE_URL`` runs the same tests on a PostgreSQL server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_desk import KEEP_DATABASES, OTHER_DATABASE, Clock, database_url, drop_databases

from autovoice.server.database import Database
from autovoice.server.jobs import JobTable
from autovoice.server.migrations import upgrade


@pytest.fixture(scope="session", autouse=True)
def _databases() -> Iterator[None]:
    yield
    if OTHER_DATABASE and not KEEP_DATABASES:
        drop_databases()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(database_url(tmp_path / "jobs.sqlite3"), busy_s=60.0)
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def table(database: Database, clock: Clock) -> JobTable:
    return JobTable(database, clock=clock)
