"""What was found out about recordings, kept by their content."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from autovoice.types import Audio
from autovoice.weights.paths import cache_root

log = logging.getLogger(__name__)
MOST_BYTES = 256 << 20
_SUFFIX = ".kept"
_TEMPORARY = ".partial-"
_FORMAT = "1"
_NUMPY = b"\x93NUMPY"
_HASHED_SAMPLES = 1 << 20
Value = TypeVar("Value")


def content_hash(audio: Audio) -> str:
    """Return the SHA-256 of the sound itself: rate, shape and samples; names and tags do not count.

    Args:
        audio: any length; it is read a few megabytes at a time.
    """
    head = f"{audio.sample_rate_hz} {audio.channels} {audio.length_samples} "
    digest = hashlib.sha256(head.encode())
    for channel in audio.samples:
        for first in range(0, len(channel), _HASHED_SAMPLES):
            digest.update(channel[first : first + _HASHED_SAMPLES].astype("<f4").tobytes())
    return digest.hexdigest()


class Cache:
    """A folder of values that are dear to find: embeddings, transcripts, curves, scores.

    An entry is one file with a checksum, written beside its place and moved there, so that
    processes may share the folder; one that is damaged is found out anew. Where the folder cannot
    be written, nothing is kept, which is said once.

    Args:
        folder: where. Default: ``eval`` in the user's cache folder (see ``AUTOVOICE_CACHE_DIR``).
        most_bytes: when more is kept, what was not used for longest goes. Default 256 MiB.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder or cache_root() / "eval"
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None
        self._writes = True

    def value(self, sound: str, metric: str, version: str, make: Callable[[], Value]) -> Value:
        """Return what is kept, else what ``make`` finds, which is then kept.

        Args:
            sound: content hash of the recording, or any text that tells what was judged.
            metric: which measure; letters, digits and dashes.
            version: of the measure and its settings; values of another version do not count.
            make: finds a JSON value or a float array. What it raises is not kept.
        """
        path = self._path(sound, metric, version)
        try:
            found: Value = _unpacked(path.read_bytes())
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                log.debug("%s cannot be used: %s", path, error)
        else:
            self._touch(path)
            return found
        value = make()
        self._keep(path, _packed(value))
        return value

    def _path(self, sound: str, metric: str, version: str) -> Path:
        key = hashlib.sha256(f"{_FORMAT}\n{metric}\n{version}\n{sound}".encode()).hexdigest()
        return self.folder / f"{metric}-{key[:40]}{_SUFFIX}"

    def _touch(self, path: Path) -> None:
        try:
            path.touch()
        except OSError as error:  # a folder that may be read and not written still serves
            log.debug("%s: %s", path, error)

    def _keep(self, path: Path, content: bytes) -> None:
        with self._lock:
            if not self._writes or len(content) > self.most_bytes:
                return
            temporary = self.folder / f"{_TEMPORARY}{uuid.uuid4().hex}"
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(content)
                temporary.replace(path)
                self._shrink(len(content))
            except OSError as error:
                self._writes = False
                log.warning(
                    "%s cannot be written (%s): measures are not kept for the next time",
                    self.folder,
                    error.strerror or error,
                )
                _remove(temporary)

    def _shrink(self, added: int) -> None:
        """Remove what was not used for longest; the folder is looked through only when full."""
        if self._bytes is not None and self._bytes + added <= self.most_bytes:
            self._bytes += added
            return
        kept: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            if path.suffix == _SUFFIX or path.name.startswith(_TEMPORARY):
                try:
                    facts = path.stat()
                except FileNotFoundError:  # another process was quicker
                    continue
                kept.append((facts.st_mtime, facts.st_size, path))
        self._bytes = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept, key=lambda one: one[0]):
            if self._bytes <= self.most_bytes:
                break
            _remove(path)
            self._bytes -= size


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.debug("%s: %s", path, error)


def _packed(value: Any) -> bytes:
    """Return checksum and content of an entry."""
    if isinstance(value, np.ndarray):
        stream = io.BytesIO()
        np.save(stream, value, allow_pickle=False)
        content = stream.getvalue()
    else:
        content = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return hashlib.sha256(content).digest() + content


def _unpacked(entry: bytes) -> Any:
    """Return the value of an entry.

    Raises:
        ValueError: it is damaged.
    """
    content = entry[32:]
    if hashlib.sha256(content).digest() != entry[:32]:
        raise ValueError("the checksum differs")
    if content.startswith(_NUMPY):
        return np.load(io.BytesIO(content), allow_pickle=False)
    return json.loads(content)
