"""The data folder: files under random names, whole or not at all, within a budget."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from autovoice.errors import ResourceError

PARTS, UPLOADS, JOBS, VOICES, LOGS = "parts", "files", "jobs", "voices", "logs"


class StorageFull(ResourceError):
    """No room on the disk or in the budget."""


def raise_file_limit() -> None:
    """Let this process open as many files and sockets as the system allows it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass(frozen=True)
class Received:
    """A file that was received.

    Args:
        path: relative to the data folder.
        bytes: its size.
        sha256: of its content.
    """

    path: str
    bytes: int
    sha256: str


class Part:
    """A file that is being received: it has a temporary name until it is kept.

    Args:
        store: whose it is.
        path: of the temporary file.
        handle: to write to.
    """

    def __init__(self, store: FileStore, path: Path, handle: BinaryIO) -> None:
        self._store, self.path, self._handle = store, path, handle
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, block: bytes) -> None:
        """Append.

        Raises:
            StorageFull: the disk is full.
        """
        with _told(self.path.name):
            self._handle.write(block)
        self._digest.update(block)
        self.bytes += len(block)

    @property
    def sha256(self) -> str:
        """Of what was written so far."""
        return self._digest.hexdigest()

    def keep(self) -> Received:
        """Give the file its lasting name, synced, and return where it is."""
        name = _random(UPLOADS)
        target = self._store.path(name)
        with _told(name):
            self._handle.flush()
            os.fsync(self._handle.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)
            _sync_folder(target.parent)
        return Received(name, self.bytes, self.sha256)


class FileStore:
    """The data folder.

    Args:
        folder: its path; made where missing, for this user alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folders, and throw away what was received in part before a crash.

        Raises:
            ResourceError: the folder cannot be made or written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            for name in (PARTS, UPLOADS, JOBS, VOICES, LOGS):
                (self.folder / name).mkdir(exist_ok=True)
            for left in (self.folder / PARTS).iterdir():
                left.unlink()
        except OSError as error:
            raise ResourceError(
                f"{self.folder}: cannot be used as data folder ({error.strerror})"
            ) from error

    def path(self, name: str) -> Path:
        """Return the full path of a name that this store gave out.

        Raises:
            ValueError: the name leads out of the folder.
        """
        found = Path(os.path.normpath(self.folder / name))
        if not found.is_relative_to(self.folder) or found == self.folder:
            raise ValueError(f"{name!r} is no name of this store")
        return found

    @contextlib.contextmanager
    def receive(self) -> Iterator[Part]:
        """Yield a new file; unless it is kept, nothing of it stays.

        Raises:
            StorageFull: the disk is full.
        """
        path = self.folder / PARTS / secrets.token_hex(16)
        try:
            with _told("upload"), path.open("xb") as handle:
                yield Part(self, path, handle)
        finally:
            path.unlink(missing_ok=True)

    def new_job_folder(self) -> str:
        """Return a name for a job's folder; it is made when it is written to."""
        return _random(JOBS)

    def remove(self, name: str) -> None:
        """Remove a file or a folder, if it is there."""
        path = self.path(name)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return how much room the disk has."""
        return shutil.disk_usage(self.folder).free


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def _random(room: str) -> str:
    name = secrets.token_hex(16)
    return f"{room}/{name[:2]}/{name}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"{what} cannot be stored ({error.strerror}); free disk space") from error
