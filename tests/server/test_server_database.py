"""The database: safe modes, migrations, and errors that are told as such."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from server_desk import database_url, new_job, of_sqlite
from sqlalchemy import text

from autovoice.errors import InputError
from autovoice.server import tables
from autovoice.server.database import Database, DatabaseUnavailable, wal_is_safe
from autovoice.server.jobs import JobTable
from autovoice.server.migrations import newest, revision, upgrade


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 6, 23), True),
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 0), True),
    ],
)
def test_the_log_is_used_only_where_it_is_mended(version: tuple[int, int, int], safe: bool) -> None:
    assert wal_is_safe(version) is safe


@of_sqlite
def test_sqlite_commits_to_the_disk(database: Database) -> None:
    with database.read() as connection:
        mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()
    wanted = "wal" if wal_is_safe(sqlite3.sqlite_version_info[:3]) else "delete"
    assert mode == wanted
    assert synchronous == 2


@of_sqlite
def test_a_write_begins_with_the_lock(database: Database) -> None:
    """Two writers that read first and write later would end in a deadlock."""
    other = Database(str(database.engine.url), busy_s=0.05)
    with (
        database.write(),
        pytest.raises(DatabaseUnavailable, match="locked"),
        other.write(),
    ):
        pass
    other.close()


@of_sqlite
def test_waiting_for_the_lock_leaves_the_random_state_of_the_process(database: Database) -> None:
    other = Database(str(database.engine.url), busy_s=0.05)
    before = random.getstate()
    with database.write(), pytest.raises(DatabaseUnavailable), other.write():
        pass
    assert random.getstate() == before
    other.close()


def fail_half_way(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO usage VALUES ('a', 1, 2.0)"))
        raise ZeroDivisionError


def test_what_raises_is_not_written(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_half_way(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM usage")).scalar_one() == 0


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    assert revision(database) == newest()
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
    upgrade(database)  # once more changes nothing


def test_jobs_of_an_older_version_are_taken_along(tmp_path: Path) -> None:
    """Each step up from the first tables, with a job that waits and one that ran."""
    made = Database(database_url(tmp_path / "old.sqlite3"))
    upgrade(made, "r0001")
    same = {
        "owner": "anna", "kind": "convert.song", "request": {"voice": "kumo"}, "files": ["file_1"],
        "folder": "jobs/aa/bb", "audio_s": 3.0, "bytes": 0, "created_at": 1.0, "updated_at": 2.0,
        "not_before": 0.0, "stalled": 0, "overall": 0.0, "progress": {"read": 1.0},
        "cancel_requested": False, "version": 4,
    }  # fmt: skip
    running = {"lease_token": "t", "lease_until": 5.0, "worker": "w0", "started_at": 1.5}
    rows = (
        {"id": "job_1", "state": "queued", "attempt": 0, "chunks_done": 0},
        {"id": "job_2", "state": "running", "attempt": 1, "chunks_done": 7, **running},
    )
    with made.write() as connection:
        for row in rows:
            connection.execute(tables.jobs.insert().values(**same, **row))
    upgrade(made)
    assert revision(made) == newest()
    table = JobTable(made)
    taken = [table.claim("w1", 30.0) for _ in range(2)]
    found = {lease.job.id: lease.job for lease in taken if lease is not None}
    assert (found["job_1"].attempt, found["job_2"].attempt) == (1, 2)
    assert (found["job_2"].chunks_done, found["job_2"].trace) == (7, None)
    assert found["job_1"].request == {"voice": "kumo"}
    made.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(InputError, match="another version"):
        upgrade(database)


def test_a_strange_url_is_told_without_its_password() -> None:
    with pytest.raises(InputError) as told:
        Database("mysql://user:hunter2@host/name")
    assert "hunter2" not in str(told.value)


@of_sqlite
def test_read_only_database_is_told(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "jobs.sqlite3"
    reader = Database(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(DatabaseUnavailable, match="readonly"):
        JobTable(reader).submit(new_job())
    assert not reader.writable()
    assert JobTable(reader).active() == 0
    reader.close()


@of_sqlite
def test_a_full_disk_loses_nothing_that_was_accepted(database: Database, table: JobTable) -> None:
    kept, _ = table.submit(new_job())
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    full = Database(str(database.engine.url))
    with full.write() as connection:
        connection.execute(text(f"PRAGMA max_page_count={pages}"))
    large = new_job(request={"text": "x" * 100_000})
    with pytest.raises(DatabaseUnavailable, match="full"):
        JobTable(full).submit(large)
    full.close()
    assert [job.id for job in table.list(None)] == [kept.id]
    assert table.submit(large)[1]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite3"
    file.write_bytes(b"this is no database at all" * 100)
    broken = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        upgrade(broken)
    broken.close()


@of_sqlite
def test_a_backup_taken_while_jobs_run_can_be_restored(
    database: Database, table: JobTable, tmp_path: Path
) -> None:
    job, _ = table.submit(new_job())
    lease = table.claim("w1", 30.0)
    assert lease is not None
    target = tmp_path / "backup.sqlite3"
    with sqlite3.connect(tmp_path / "jobs.sqlite3") as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    table.cancelled(lease)
    restored = Database(f"sqlite:///{target}")
    upgrade(restored)
    again = JobTable(restored, clock=lambda: table.clock() + 31.0)
    taken = again.claim("w2", 30.0)
    assert taken is not None
    assert taken.job.id == job.id
    assert taken.job.attempt == 2
    restored.close()


def test_the_table_needs_no_torch() -> None:
    code = "import sys, autovoice.server.jobs, autovoice.server.migrations, autovoice.server.files"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
