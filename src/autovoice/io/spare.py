"""Decoder processes that were started ahead: their imports take ten times what a short file does.

Each still reads one file and ends. A process that opens a few files never starts one ahead; after
that as many are kept as were in use at once, one for a single caller.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

_SCRIPT = Path(__file__).with_name("_decoder.py")
# A command converts a song with up to three: a look, and two passes over a long one.
FIRST_FILES = 3
# Each has 15 MB of its own, and more than there are cores would wait for one another.
MOST_SPARES = min(8, os.cpu_count() or 1)


class Spares:
    """Processes that wait for the file that they are to decode.

    Args:
        first: so many files are opened before one is started ahead.
        most: at once.
    """

    def __init__(self, first: int = FIRST_FILES, most: int = MOST_SPARES) -> None:
        self._left, self._most = first, most
        self._wanted = self._in_use = 0
        self._waiting: list[tuple[Sequence[str], subprocess.Popen[bytes]]] = []
        self._lock = threading.Lock()

    def decode(self, request: bytes) -> subprocess.Popen[bytes]:
        """Return a process that has its request; its answer comes on its standard output.

        Raises:
            OSError: none can be started.
        """
        command = _command()
        process = self._spare(command, request)
        if process is None:
            process = _started(command)
            _send(process, request)  # one that has ended already tells so by its status
        with self._lock:
            self._in_use += 1
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End what ``decode`` returned, and free its pipes."""
        with self._lock:
            self._in_use -= 1
        _end(process)

    def _spare(self, command: Sequence[str], request: bytes) -> subprocess.Popen[bytes] | None:
        """Return one that waited and has taken the request; None where there is none."""
        while True:
            with self._lock:
                if not self._waiting:
                    return None
                made_by, process = self._waiting.pop(0)
            if made_by == command and process.poll() is None and _send(process, request):
                return process
            _end(process)

    def refill(self) -> None:
        """Start those that are wanted; to be called when one in use has done its imports.

        Earlier they would take the processor from the one that is waited for.
        """
        command = _command()
        with self._lock:
            if self._left > 0:
                self._left -= 1
                return
            self._wanted = min(self._most, max(self._wanted, self._in_use))
            with contextlib.suppress(OSError):  # whoever needs one will say what is wrong
                while len(self._waiting) < self._wanted:
                    self._waiting.append((command, _started(command)))

    def close(self) -> None:
        """End all that wait, and start no more ahead."""
        with self._lock:
            self._wanted = self._most = 0
            waiting, self._waiting = self._waiting, []
        for _, process in waiting:
            _end(process)

    def forget(self) -> None:
        """Leave all that wait to the process that this one was forked from."""
        self._lock = threading.Lock()
        waiting, self._waiting = self._waiting, []
        for _, process in waiting:
            _close_pipes(process)
            process.poll()  # notes that it is no child of this process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    _close_pipes(process)
    process.wait()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _command() -> list[str]:
    return [sys.executable, "-I", os.fspath(_SCRIPT)]


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # One BLAS thread: none is needed, and each would take address space from the limit.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _send(process: subprocess.Popen[bytes], request: bytes) -> bool:
    """Send the request, and nothing after it; return whether it could be taken."""
    assert process.stdin is not None  # noqa: S101 - tells mypy what Popen was given
    try:
        with process.stdin as pipe:
            pipe.write(request + b"\n")
    except OSError:
        return False
    return True


SPARES = Spares()
atexit.register(SPARES.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SPARES.forget)
