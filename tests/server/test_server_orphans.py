"""Killed between a file and its row: what is left is removed when it is old, nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from api_desk import ApiDesk, serving
from server_desk import database_url

from autovoice.server.orphans import remove_orphans

# What dies, and where: a function is replaced by one that ends the process as a power cut would.
# One process forks for all points, as starting Python takes longer than all else here.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from api_desk import serving, tone
from autovoice.server import files, filetable, janitor
from autovoice.server.jobs import JobTable, tallies

def die(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)

def run(point, folder):
    with serving(folder) as desk:
        desk.song(name="before.wav")
        desk.work()
        if point == "received":
            files.Part.keep = die
        elif point == "kept":
            JobTable.submit = die
        elif point == "within":  # the transaction, behind both rows
            tallies.count = die
        elif point == "stored":
            filetable.FileTable.add = die
            desk.client.post("/api/v1/files", files={"file": ("after.wav", tone(0.5))})
        elif point == "entered":
            files_ = {"file": ("after.wav", tone(0.5))}
            file = desk.client.post("/api/v1/files", files=files_).json()
            JobTable.submit = die
            asked = {"voice": "kumo", "file_id": file["id"]}
            desk.client.post("/api/v1/convert/song", json=asked)
        elif point == "forgotten":
            files.FileStore.remove = die
            desk.client.delete(desk.client.get("/api/v1/jobs").json()["jobs"][0]["links"]["self"])
        elif point == "expired":
            files.FileStore.remove = die
            janitor.sweep(desk.service.table, desk.service.files, desk.service.store,
                          retention_s=-1e9, receive_s=900.0)
        desk.song(tone(0.5), "after.wav")

for point in sys.argv[2:]:
    pid = os.fork()
    if pid == 0:
        run(point, Path(sys.argv[1]) / point)
        os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, (point, status)
"""
# What nothing mentions afterwards, and what is mentioned, in files and in jobs.
POINTS = {
    "received": (0, (1, 1)),  # a part, which the next start throws away
    "kept": (1, (1, 1)),
    "within": (1, (1, 1)),
    "stored": (1, (1, 1)),
    "entered": (0, (2, 1)),  # a stored song of no job, which goes with retention
    "forgotten": (1, (1, 0)),
    "expired": (1, (1, 0)),  # the job's row is gone, its folder is not; the song's turn was next
}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders as they were left at each point."""
    folder = tmp_path_factory.mktemp("killed")
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), *POINTS],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def there(folder: Path) -> tuple[int, int]:
    return len(list((folder / "files").glob("*/*"))), len(list((folder / "jobs").glob("*/*")))


def copy(left: Path, data: Path) -> None:
    shutil.copytree(left, data)
    database_url(data / "autovoice.sqlite3", like=left / "autovoice.sqlite3")


def swept(desk: ApiDesk, grace_s: float) -> int:
    service = desk.service
    return remove_orphans(service.table, service.files, service.store, grace_s)


def age(folder: Path, seconds: float) -> None:
    at = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (at, at))


@pytest.mark.parametrize("point", POINTS)
def test_what_a_kill_leaves_is_removed_when_it_is_old(left: Path, data: Path, point: str) -> None:
    copy(left / point, data)
    orphans, mentioned = POINTS[point]
    assert len(list((data / "parts").iterdir())) == (point == "received")
    desk = ApiDesk(data)
    assert sum(there(data)) == orphans + sum(mentioned)
    assert list((data / "parts").iterdir()) == []
    assert swept(desk, 3600.0) == 0
    age(data, 7200.0)
    assert swept(desk, 3600.0) == orphans
    assert there(data) == mentioned
    assert swept(desk, 3600.0) == 0
    for job in desk.service.table.list(None):
        assert all(
            desk.service.store.path(one.path).is_file()
            for one in desk.service.files.several(job.files)
        )
    desk.service.close()


def test_the_service_does_so_at_its_start(left: Path, data: Path) -> None:
    copy(left / "kept", data)
    age(data, 10 * 3600.0)
    with serving(data, orphan_s=3600.0):
        deadline = time.monotonic() + 60
        while there(data) != (1, 1):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_an_empty_database_removes_nothing(left: Path, data: Path) -> None:
    copy(left / "kept", data)
    age(data, 7200.0)
    desk = ApiDesk(data, database_url=database_url(data / "another.sqlite3"))
    assert swept(desk, 0.0) == 0
    assert there(data) == (2, 1)
    desk.service.close()


def test_voices_that_were_not_finished(tmp_path: Path) -> None:
    desk = ApiDesk(tmp_path)
    desk.song()
    own = tmp_path / "voices" / "local"
    own.mkdir()
    for name in ("anna.voice", "anna.preview.wav", "bert.preview.wav", ".carl.voice.x1", "d.txt"):
        (own / name).write_bytes(b"x")
    age(tmp_path, 7200.0)
    assert swept(desk, 3600.0) == 2
    assert sorted(one.name for one in own.iterdir()) == ["anna.preview.wav", "anna.voice", "d.txt"]
    desk.service.close()


def test_a_folder_that_is_written_to_is_young(tmp_path: Path) -> None:
    desk = ApiDesk(tmp_path)
    desk.song()
    pieces = tmp_path / "jobs" / "ab" / "abcd" / "pieces"
    pieces.mkdir(parents=True)
    age(tmp_path, 7200.0)
    (pieces / "000001").write_bytes(b"x")
    assert swept(desk, 3600.0) == 0
    age(tmp_path, 7200.0)
    assert swept(desk, 3600.0) == 1
    desk.service.close()
