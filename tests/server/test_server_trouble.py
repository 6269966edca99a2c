"""Disks without room and databases that are locked or read-only, as callers of the API see them."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_desk import PATIENCE_S, ApiDesk, refused, serving
from server_desk import of_sqlite
from sqlalchemy import event

from autovoice.server.work import fake

JOBS = "/api/v1/jobs"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    with serving(tmp_path, quotas={"requests_per_minute": 0}) as made:
        yield made


def full(*_arguments: Any, **_options: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def left(desk: ApiDesk, room: str) -> int:
    return len([one for one in (desk.settings.data_dir / room).rglob("*") if one.is_file()])


@contextlib.contextmanager
def every_transaction(desk: ApiDesk, begins: str, ends: str) -> Iterator[None]:
    """Let each transaction of SQLite begin with one pragma, and afterwards with another."""
    pragma = [begins]

    def set_first(connection: sqlite3.Connection, *_pool: Any) -> None:
        connection.execute(pragma[0])

    event.listen(desk.service.database.engine, "checkout", set_first)
    try:
        yield
    finally:
        pragma[0] = ends


def test_a_disk_that_is_full_while_songs_come(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr("os.fsync", full)
        words = refused(desk.song(), 503, "storage_full")
        assert "No space left" in words
        stored = desk.client.post("/api/v1/files", files={"file": ("a.wav", fake_song())})
        refused(stored, 503, "storage_full")
    assert (left(desk, "parts"), left(desk, "files")) == (0, 0)
    assert desk.client.get(JOBS).json()["jobs"] == []
    assert desk.song().status_code == 202


def fake_song() -> bytes:
    return b"RIFF\0\0\0\0WAVEfmt " + bytes(2000)


def test_a_disk_that_is_full_while_songs_are_made(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is told why it waits, nothing half-written is served, and it is done later."""
    undisturbed = desk.song().json()
    desk.work()
    job = desk.song().json()
    with monkeypatch.context() as context:
        context.setattr(fake, "_wav", full)
        desk.work()
    found = desk.client.get(job["links"]["self"]).json()
    assert (found["state"], found["error"]["code"]) == ("queued", "out_of_resources")
    assert "disk of the service is full" in found["error"]["message"]
    refused(desk.client.get(f"{JOBS}/{job['id']}/result"), 409, "not_finished")
    desk.service.table.wake()
    desk.work()
    found = desk.client.get(job["links"]["self"]).json()
    assert (found["state"], found["attempt"], found["error"]) == ("done", 2, None)
    wanted = desk.client.get(f"{JOBS}/{undisturbed['id']}/result").content
    assert desk.client.get(found["links"]["result"]).content == wanted


@of_sqlite
def test_a_disk_that_is_full_while_jobs_are_entered(desk: ApiDesk) -> None:
    """What got 202 is there, what did not leaves nothing behind."""
    with desk.service.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    accepted: set[str] = set()
    limit = f"PRAGMA max_page_count={pages + 2}"
    with every_transaction(desk, limit, f"PRAGMA max_page_count={1 << 30}"):
        for _ in range(100):
            answer = desk.song()
            if answer.status_code != 202:
                break
            accepted.add(answer.json()["id"])
        assert "full" in refused(answer, 503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert len(accepted) < 100
        assert desk.client.get(JOBS).status_code == 200
    jobs = {job["id"] for job in desk.client.get(f"{JOBS}?limit=200").json()["jobs"]}
    assert jobs == accepted
    assert left(desk, "files") == len(accepted)
    assert desk.song().status_code == 202


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[ApiDesk]:
    """A service that does not wait long for a lock."""
    with serving(tmp_path, busy_s=0.2) as made:
        yield made


@of_sqlite
def test_a_database_that_somebody_has_locked(hasty: ApiDesk) -> None:
    desk = hasty
    job = desk.song().json()
    other = sqlite3.connect(desk.settings.data_dir / "autovoice.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        refused(desk.song(), 503, "database_unavailable")
        refused(desk.client.get(job["links"]["self"]), 503, "database_unavailable")
        refused(desk.client.delete(job["links"]["self"]), 503, "database_unavailable")
        speech = desk.client.post("/api/v1/synthesize", json={"text": "Hello.", "voice": "kumo"})
        refused(speech, 503, "database_unavailable")
        ready = desk.client.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]["ok"]) == (503, False)
        assert desk.client.get("/health/live").status_code == 200
        text = desk.client.get("/metrics").text
        assert "autovoice_database_up 0.0" in text
        assert "autovoice_ready 0.0" in text
    finally:
        other.execute("ROLLBACK")
        other.close()
        desk.service.database.busy_s = PATIENCE_S
    assert left(desk, "files") == 1
    assert desk.song().status_code == 202
    assert "autovoice_database_up 1.0" in desk.client.get("/metrics").text
    desk.work(2)
    assert desk.client.get(job["links"]["self"]).json()["state"] == "done"


@of_sqlite
def test_a_database_that_is_read_only(desk: ApiDesk) -> None:
    """Jobs can still be looked at and fetched, new ones are refused."""
    job = desk.song().json()
    desk.work()
    with every_transaction(desk, "PRAGMA query_only=ON", "PRAGMA query_only=OFF"):
        assert "readonly" in refused(desk.song(), 503, "database_unavailable")
        refused(desk.client.delete(job["links"]["self"]), 503, "database_unavailable")
        assert desk.client.get(job["links"]["self"]).json()["state"] == "done"
        assert desk.client.get(f"{JOBS}/{job['id']}/result").status_code == 200
        assert desk.client.get("/health/ready").json()["checks"]["database"]["ok"] is False
    assert left(desk, "files") == 1
    assert desk.song().status_code == 202
    assert desk.client.delete(job["links"]["self"]).status_code == 200
