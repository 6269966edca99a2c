"""From whatever the caller passed to a regular file that is worth decoding."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autovoice.errors import InputError, UnsupportedAudio
from autovoice.io.formats import ACCEPTED
from autovoice.io.sniff import HEAD_BYTES, identify

Source = str | os.PathLike[str] | bytes


@contextlib.contextmanager
def opened(source: Source) -> Iterator[tuple[Path, str]]:
    """Yield a path and a name for messages; bytes go through a temporary file.

    Raises:
        InputError: missing, a folder, not a regular file, empty or not readable.
        UnsupportedAudio: the first bytes are not those of audio that is read here.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        _check(bytes(source[:HEAD_BYTES]), "the bytes", "")
        with tempfile.TemporaryDirectory(prefix="autovoice-") as folder:
            path = Path(folder) / "sound"
            path.write_bytes(source)
            yield path, "the bytes"
        return
    path = Path(source)
    name = path.name or str(path)
    _check(_head(path, name), name, path.suffix)
    yield path, name


def _head(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{name}: found a folder, expected one audio file; name a file in it")
        if not path.exists():
            raise InputError(f"{path}: found no such file, expected {ACCEPTED}; check the path")
        if not path.is_file():
            raise InputError(f"{name}: found a device or pipe, expected an audio file")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}: cannot be read ({error}); check the path and its permissions"
        ) from error


def _check(head: bytes, name: str, suffix: str) -> None:
    if not head:
        raise InputError(f"{name}: found an empty file, expected {ACCEPTED}; copy it again")
    found = identify(head, suffix)
    if not found.readable:
        raise UnsupportedAudio(
            f"{name}: found {found.description}, expected {ACCEPTED}; {found.advice}"
        )
