"""Run ``autovoice`` as users do, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandFailed(RuntimeError):
    """A command ended otherwise than it should."""


@dataclass(frozen=True)
class Done:
    """What a command came to.

    Args:
        words: what was run, as typed.
        code: its exit code.
        stdout, stderr: what it printed.
        seconds: from start to end, imports and all.
        cpu_s: of all its threads, which a busy machine does not change.
    """

    words: str
    code: int
    stdout: str
    stderr: str
    seconds: float
    cpu_s: float = 0.0

    def json(self) -> dict[str, Any]:
        """Read the one object that ``--json`` prints.

        Raises:
            CommandFailed: stdout is no single JSON object.
        """
        try:
            found = json.loads(self.stdout)
        except ValueError as error:
            raise CommandFailed(f"{self.words}: stdout is no JSON object ({error})") from error
        if not isinstance(found, dict):
            raise CommandFailed(f"{self.words}: found a JSON {type(found).__name__}, not an object")
        return found


@dataclass(frozen=True)
class Command:
    """The command line, with a folder of stored voices of its own.

    The cache is the user's: ``AUTOVOICE_CACHE_DIR`` would move the weights along with the measures.

    Args:
        data: where voices are stored.
        timeout_s: a command that takes longer is ended, and its workflow errored.
    """

    data: Path
    timeout_s: float = 600.0

    def __call__(self, *words: object, expect: int | None = 0) -> Done:
        """Run ``autovoice`` with ``words``.

        Args:
            words: what follows the program's name.
            expect: the exit code that it must end with; None takes any.

        Raises:
            CommandFailed: it ended otherwise, or not in time.
        """
        typed = shlex.join(["autovoice", *map(str, words)])
        begin, before_s = time.perf_counter(), _children_s()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "autovoice", *map(str, words)],
                env={**os.environ, "AUTOVOICE_DATA_DIR": str(self.data)},
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandFailed(f"{typed}: not done after {self.timeout_s:.0f} s") from error
        wall_s, cpu_s = time.perf_counter() - begin, _children_s() - before_s
        took = Done(typed, done.returncode, done.stdout, done.stderr, wall_s, cpu_s)
        if expect is not None and took.code != expect:
            said = took.stderr.strip()[-1500:]
            raise CommandFailed(f"{typed}: exit code {took.code}, expected {expect}\n{said}")
        return took


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
