"""Decoders that were started ahead: used once, limited like any other, and never left over."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.errors import ResourceError, UnsupportedAudio
from autovoice.io import guard, spare
from autovoice.types import Audio

PATIENCE_S = 60.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def spares(monkeypatch: pytest.MonkeyPatch) -> Iterator[spare.Spares]:
    made = spare.Spares(first=1, most=2)
    monkeypatch.setattr(guard, "SPARES", made)
    yield made
    made.close()


@pytest.fixture
def path(song: Audio, tmp_path: Path) -> Path:
    return io.write(song, tmp_path / "x.flac")


def waiting(spares: spare.Spares) -> list[int]:
    return [process.pid for _, process in spares._waiting]


def is_there(pid: int) -> bool:
    """Tell whether there is a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_few_files_start_none_ahead_and_each_process_reads_one(
    spares: spare.Spares, path: Path
) -> None:
    io.read(path)
    assert waiting(spares) == []
    io.read(path)
    seen: list[int] = []
    for _ in range(3):
        (ahead,) = waiting(spares)
        with guard.Decoder(path, "x.flac", guard.Limits()) as decoder:
            assert decoder._process.pid == ahead
            assert sum(len(block) for block in decoder) == 44_100
        assert not is_there(ahead)
        seen.append(ahead)
    assert len(set(seen)) == 3
    (last,) = waiting(spares)
    spares.close()
    assert not is_there(last)
    io.read(path)
    assert waiting(spares) == []


@pytest.fixture
def ahead(spares: spare.Spares, path: Path) -> int:
    """Return the id of one that waits."""
    io.probe(path)
    io.probe(path)
    return waiting(spares)[0]


def test_the_limits_of_its_file_hold(
    path: Path, ahead: int, spares: spare.Spares, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = functools.partial(guard.Limits, memory_bytes=1 << 20)
    monkeypatch.setattr("autovoice.io.reader.Limits", tight)
    with pytest.raises(UnsupportedAudio, match=r"memory|status"):
        io.read(path)
    assert ahead not in waiting(spares)
    assert not is_there(ahead)


def test_one_that_hangs_is_ended(path: Path, ahead: int) -> None:
    os.kill(ahead, signal.SIGSTOP)
    with pytest.raises(ResourceError, match="took more than"):
        guard.Decoder(path, "x.flac", guard.Limits(wait_seconds=0.3))
    assert not is_there(ahead)


def test_one_that_died_is_passed_over(
    path: Path, ahead: int, song: Audio, spares: spare.Spares
) -> None:
    os.kill(ahead, signal.SIGKILL)
    os.waitid(os.P_PID, ahead, os.WEXITED | os.WNOWAIT)
    assert io.read(path).length_samples == song.length_samples
    assert not is_there(ahead)
    (other,) = waiting(spares)
    assert other != ahead


def test_ctrl_c_is_for_its_parent(path: Path, ahead: int, song: Audio) -> None:
    time.sleep(1.0)  # its imports are done
    os.kill(ahead, signal.SIGINT)
    time.sleep(0.1)
    with guard.Decoder(path, "x.flac", guard.Limits()) as decoder:
        assert decoder._process.pid == ahead
        assert sum(len(block) for block in decoder) == song.length_samples


@on_linux
def test_only_its_own_pipes_are_open_in_it(path: Path, ahead: int, spares: spare.Spares) -> None:
    with guard.Decoder(path, "x.flac", guard.Limits()):  # one is in use, another waits
        (other,) = waiting(spares)
        assert other != ahead
        folder = Path(f"/proc/{other}/fd")
        names = {int(one.name): str(one.readlink()) for one in folder.iterdir()}
    pipes = [number for number, name in names.items() if name.startswith("pipe:")]
    assert pipes == [0, 1]
    assert names[2] == os.devnull
    assert not [name for number, name in names.items() if number > 2 and not name.endswith(".py")]


def test_a_path_is_of_the_place_where_it_was_said(
    path: Path, ahead: int, song: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ahead
    monkeypatch.chdir(path.parent)
    assert io.read(path.name).length_samples == song.length_samples


def test_threads_get_one_each(path: Path, spares: spare.Spares) -> None:
    wanted = io.read(path).samples
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: io.read(path).samples, range(18)))
    assert all(np.array_equal(one, wanted) for one in found)
    left = waiting(spares)
    assert 1 <= len(left) <= 2
    assert spares._in_use == 0
    spares.close()
    assert not any(is_there(pid) for pid in left)


END = """
import os, sys, time
from autovoice import io
from autovoice.io import guard, spare
spare.SPARES._left = 0
io.probe(sys.argv[1])
(_, process), *_ = spare.SPARES._waiting
print(process.pid, flush=True)
"""


def begun(path: Path, code: str) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", END + code, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("code", ["", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_none_outlives_its_parent(path: Path, code: str) -> None:
    process, ahead = begun(path, code)
    process.communicate(timeout=PATIENCE_S)
    until(lambda: not is_there(ahead))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_fork_leaves_it_to_its_parent(path: Path) -> None:
    """The child starts its own, and does not keep the other alive once the parent is gone."""
    process, ahead = begun(
        path,
        """
if os.fork():
    os._exit(0)
assert spare.SPARES._waiting == []
assert io.probe(sys.argv[1]).channels == 2
print("read", flush=True)
sys.stdin.read()
""",
    )
    with process:  # closes its pipes
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout.readline() == "read\n"
        until(lambda: not is_there(ahead))  # while the child still runs
        process.stdin.close()
        assert process.stdout.read() == ""
