"""Threads that write at the same moment: one commit, and each answers for itself alone."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from server_desk import new_job, of_sqlite
from sqlalchemy import event, text

from autovoice.server.database import Database, DatabaseUnavailable
from autovoice.server.groups import Groups
from autovoice.server.jobs import IdempotencyConflict, JobTable
from autovoice.server.migrations import upgrade

pytestmark = of_sqlite
PATIENCE_S = 60.0


class Crowd:
    """Threads that all wait while one writes, so that they follow it without a gap."""

    def __init__(self, database: Database) -> None:
        assert database._groups is not None
        self.database, self.groups = database, database._groups
        self.commits = 0
        event.listen(database.engine, "commit", self._committed)
        self._pool = ThreadPoolExecutor(80)
        self._go = threading.Event()
        self._first: Future[object] | None = None

    def _committed(self, connection: object) -> None:
        if not connection.get_execution_options().get("autovoice_read"):  # type: ignore[attr-defined]
            self.commits += 1

    def hold(self, *, fails: bool = False) -> None:
        """Write in a thread, and hold the transaction until ``go``; then raise, if it ``fails``."""
        inside = threading.Event()

        def first() -> None:
            with self.database.write() as connection:
                add(connection, "first")
                inside.set()
                assert self._go.wait(PATIENCE_S)
                if fails:
                    raise LookupError

        self._first = self._pool.submit(first)
        assert inside.wait(PATIENCE_S)

    def follow(self, *works: Callable[[], object]) -> list[Future[object]]:
        """Let threads wait for their turn, in this order."""
        before, futures = self.groups.waiting, []
        for number, work in enumerate(works, 1):
            futures.append(self._pool.submit(work))
            until(lambda number=number: self.groups.waiting == before + number)
        return futures

    def go(self) -> Future[object]:
        """Let the first end its part, and return what becomes of it."""
        assert self._first is not None
        self._go.set()
        return self._first

    def close(self) -> None:
        self._go.set()
        self._pool.shutdown()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def add(connection: object, owner: str) -> None:
    statement = text("INSERT INTO usage VALUES (:owner, 1, 1.0)")
    connection.execute(statement, {"owner": owner})  # type: ignore[attr-defined]


def owners(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(text("SELECT owner FROM usage")).scalars())


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    database = Database(f"sqlite:///{tmp_path / 'crowd.sqlite3'}", busy_s=PATIENCE_S)
    upgrade(database)
    made = Crowd(database)
    yield made
    made.close()
    database.close()


def writing(database: Database, owner: str) -> Callable[[], set[str]]:
    """Return work that writes a row, and then tells what rows another connection sees."""

    def work() -> set[str]:
        with database.write() as connection:
            add(connection, owner)
        return owners(database)

    return work


def test_those_that_wait_share_a_commit(crowd: Crowd) -> None:
    names = {f"w{number}" for number in range(12)}
    crowd.hold()
    futures = crowd.follow(*(writing(crowd.database, name) for name in sorted(names)))
    assert owners(crowd.database) == set()
    crowd.go()
    for future in futures:  # whoever goes on is on the disk, and so are all others of its group
        assert future.result(PATIENCE_S) == names | {"first"}
    assert crowd.commits == 1


def test_a_group_has_an_end(crowd: Crowd) -> None:
    crowd.database._groups = crowd.groups = Groups(crowd.database.engine, PATIENCE_S, most=4)
    crowd.hold()
    futures = crowd.follow(*(writing(crowd.database, f"w{number}") for number in range(9)))
    crowd.go()
    seen = [len(future.result(PATIENCE_S)) for future in futures]  # type: ignore[arg-type]
    assert crowd.commits == 3
    assert all(
        found >= least for found, least in zip(seen, [4, 4, 4, 8, 8, 8, 8, 10, 10], strict=True)
    )
    assert len(owners(crowd.database)) == 10


def test_one_that_raises_takes_back_its_own_alone(crowd: Crowd) -> None:
    def raises() -> None:
        with crowd.database.write() as connection:
            add(connection, "never")
            raise LookupError

    crowd.hold()
    before, failing, after = crowd.follow(
        writing(crowd.database, "before"), raises, writing(crowd.database, "after")
    )
    crowd.go()
    with pytest.raises(LookupError):
        failing.result(PATIENCE_S)
    assert after.result(PATIENCE_S) == {"first", "before", "after"} == before.result(PATIENCE_S)
    assert crowd.commits == 1


def test_the_first_that_raises_leaves_the_others_a_fresh_start(crowd: Crowd) -> None:
    crowd.hold(fails=True)
    (after,) = crowd.follow(writing(crowd.database, "after"))
    with pytest.raises(LookupError):
        crowd.go().result(PATIENCE_S)
    assert after.result(PATIENCE_S) == {"after"}


def test_an_error_of_the_database_is_everybodys(crowd: Crowd) -> None:
    """SQLite ends a transaction by itself where the disk is full: nothing of it may be believed."""

    def spoils() -> None:
        with crowd.database.write() as connection:
            add(connection, "spoils")
            connection.exec_driver_sql("ROLLBACK")  # as SQLite does
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    crowd.hold()
    before, spoiling = crowd.follow(writing(crowd.database, "before"), spoils)
    (after,) = crowd.follow(writing(crowd.database, "after"))
    first = crowd.go()
    for future in (first, before, spoiling):
        with pytest.raises(DatabaseUnavailable, match="no such table"):
            future.result(PATIENCE_S)
    assert after.result(PATIENCE_S) == {"after"}


def test_a_transaction_that_is_gone_is_not_committed_in_silence(crowd: Crowd) -> None:
    def hides() -> None:
        with crowd.database.write() as connection:
            connection.exec_driver_sql("ROLLBACK")

    with pytest.raises(DatabaseUnavailable, match="ended by itself"):
        hides()
    assert writing(crowd.database, "next")() == {"next"}


def test_a_commit_that_fails_is_told_to_all(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.hold()
    futures = crowd.follow(*(writing(crowd.database, f"w{number}") for number in range(3)))
    with monkeypatch.context() as context:

        def fails(*_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        context.setattr(crowd.database.engine.dialect, "do_commit", fails)
        for future in (crowd.go(), *futures):
            with pytest.raises(DatabaseUnavailable, match="disk I/O error"):
                future.result(PATIENCE_S)
    assert owners(crowd.database) == set()
    assert writing(crowd.database, "next")() == {"next"}


def test_whose_turn_does_not_come_is_told(crowd: Crowd) -> None:
    crowd.database._groups = crowd.groups = Groups(crowd.database.engine, 0.1)
    crowd.hold()
    (late,) = crowd.follow(writing(crowd.database, "late"))
    with pytest.raises(DatabaseUnavailable, match="was busy"):
        late.result(PATIENCE_S)
    crowd.go().result(PATIENCE_S)
    assert owners(crowd.database) == {"first"}
    assert writing(crowd.database, "next")() == {"first", "next"}


def test_jobs_of_one_commit_know_of_each_other(crowd: Crowd) -> None:
    """The same key within a group is one job, and another's refusal takes none of them along."""
    table = JobTable(crowd.database)
    same = new_job(idempotency_key="k", body_hash="h")
    other = new_job(idempotency_key="k", body_hash="another")
    crowd.hold()
    futures = crowd.follow(
        lambda: table.submit(same), lambda: table.submit(other), lambda: table.submit(same)
    )
    crowd.go()
    one, is_new = futures[0].result(PATIENCE_S)  # type: ignore[misc]
    again, is_new_again = futures[2].result(PATIENCE_S)  # type: ignore[misc]
    assert (one.id, is_new, is_new_again) == (again.id, True, False)
    with pytest.raises(IdempotencyConflict):
        futures[1].result(PATIENCE_S)
    assert [job.id for job in table.list(None)] == [one.id]
    assert crowd.commits == 1


def test_many_threads_write_all_they_have(crowd: Crowd) -> None:
    """In no order at all, with some that raise: what returned is there, and nothing else is."""

    def work(number: int) -> str | None:
        try:
            with crowd.database.write() as connection:
                add(connection, f"n{number}")
                if number % 7 == 3:
                    raise LookupError
        except LookupError:
            return None
        return f"n{number}"

    with ThreadPoolExecutor(16) as pool:
        written = {name for name in pool.map(work, range(300)) if name}
    assert owners(crowd.database) == written
    assert len(written) == 257
    assert crowd.commits < 300
