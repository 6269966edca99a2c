"""The tests of the table and of whole services once more, on a PostgreSQL server of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from server_desk import IS_CI, OTHER_DATABASE, reserved_port

ROOT = Path(__file__).resolve().parents[2]
# Debian keeps the server's programs out of the path, by version.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
# What depends on the database; without what starts PyTorch or does nothing but wait.
AGAIN = (
    "test_server_database.py",
    "test_server_jobs.py",
    "test_server_jobs_machine.py",
    "test_server_worker.py",
    "test_server_orphans.py",
    "test_server_processes.py::test_kill_9_at_random_points_loses_no_job",
    "test_server_processes.py::test_sigterm_ends_in_good_order",
)


def run(*words: str | Path, user: str | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in words], user=user, capture_output=True, text=True, check=False,
        cwd="/", extra_groups=() if user else None, env={"PATH": os.defpath, "LC_ALL": "C"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the address of a new PostgreSQL server, which only this machine reaches."""
    if not PROGRAMS and not IS_CI:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    assert PROGRAMS, "PostgreSQL is not installed"
    programs = PROGRAMS[-1].parent
    # Not below pytest's own folders, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="autovoice-postgres-"))
    # It refuses to be run by root; its package has made a user for it.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    run(programs / "initdb", "-D", data, "-A", "trust", "-U", "tester", "-E", "UTF8", user=user)
    # Processes are killed here, not the machine: nothing has to wait for the disk.
    quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    control: Sequence[str | Path] = (programs / "pg_ctl", "-D", data, "-w")
    with reserved_port() as port:
        where = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run(*control, "-o", f"{where} {quick}", "-l", folder / "log", "start", user=user)
    try:
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-m", "immediate", "stop", user=user)
        shutil.rmtree(folder)


@pytest.mark.timeout(1500)
@pytest.mark.skipif(OTHER_DATABASE is not None, reason="all tests run on PostgreSQL already")
def test_the_same_promises_hold_on_postgresql(server: str) -> None:
    folder = Path(__file__).parent
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs",
         *(str(folder / name) for name in AGAIN)],
        env={**os.environ, "AUTOVOICE_TEST_DATABASE_URL": server,
             "AUTOVOICE_TEST_KEEP_DATABASES": "1",
             "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
