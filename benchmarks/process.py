"""Run a command as users do, in a process of its own, and measure it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


@dataclass(frozen=True)
class Done:
    """What a command printed and took.

    Args:
        stdout: what it printed.
        wall_s: seconds from start to end, imports and all.
        cpu_s: seconds of all its threads.
        peak_bytes: most memory that it or any one process it started held at once.
    """

    stdout: str
    wall_s: float
    cpu_s: float
    peak_bytes: int


def measured(command: Sequence[str]) -> Done:
    """Run ``command`` to its end.

    ``wait4`` reads the figures of this one child; ``RUSAGE_CHILDREN`` would mix in all before it.

    Raises:
        SystemExit: it failed; the message holds the end of what it said.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin_s = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begin_s
        child.returncode = os.waitstatus_to_exitcode(status)
        said, complained = _text(out), _text(err)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {child.returncode}\n{complained[-2000:]}")
    return Done(said, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * KIB)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def python(*words: str) -> Done:
    """Run this Python with ``words`` and measure it."""
    return measured([sys.executable, *words])
