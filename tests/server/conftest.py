"""A data folder, a database and a table of jobs for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_desk import Clock

from autovoice.server.database import Database
from autovoice.server.jobs import JobTable
from autovoice.server.migrations import upgrade


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'jobs.sqlite3'}", busy_s=5.0)
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def table(database: Database, clock: Clock) -> JobTable:
    return JobTable(database, clock=clock)
