"""Write files whole or not at all, check them, and read the header of a safetensors file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from autovoice.errors import ResourceError, WeightsError

BLOCK_BYTES = 1 << 20
# Upstream readers refuse larger headers; ours hold a few hundred kilobytes at most.
MAX_HEADER_BYTES = 100_000_000
TEMPORARY_PREFIX = ".partial-"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in blocks(stream):
            digest.update(block)
    return digest.hexdigest()


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of a stream in blocks of at most one mebibyte."""
    while block := stream.read(BLOCK_BYTES):
        yield block


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; sync it and move it there when the block is done.

    Raises:
        ResourceError: the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not mkstemp: its files are the owner's alone, and a cache may be shared.
    temporary = target.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    try:
        with disk_full_is_resource_error(target):
            yield temporary
            sync(temporary)
            temporary.replace(target)
            sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_full_is_resource_error(target: Path) -> Iterator[None]:
    """Turn "no space left" into a ``ResourceError`` that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourceError(
            f"the disk is full while writing {target}; free some space, or point "
            "AUTOVOICE_CACHE_DIR to a folder on a larger disk"
        ) from error


def sync(path: Path) -> None:
    """Ask the system to put a file or a folder on the disk now."""
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_checked(
    target: Path,
    source: Iterable[bytes],
    *,
    size_bytes: int,
    sha256: str,
    what: str,
    report: Callable[[int], None] | None = None,
) -> None:
    """Write ``source`` to ``target``, only if its length and SHA-256 are the expected ones.

    Writing stops as soon as more than ``size_bytes`` came, so a lying archive cannot fill the disk.

    Raises:
        WeightsError: length or hash differ; nothing is left behind.
    """
    digest = hashlib.sha256()
    done_bytes = 0
    with atomic_path(target) as temporary:
        with temporary.open("wb") as stream:
            for block in source:
                done_bytes += len(block)
                if done_bytes > size_bytes:
                    break
                digest.update(block)
                stream.write(block)
                if report is not None:
                    report(done_bytes)
        if done_bytes != size_bytes:
            more = "more than " if done_bytes > size_bytes else ""
            found = f"{more}{min(done_bytes, size_bytes)}"
            raise WeightsError(f"{what}: found {found} bytes, expected {size_bytes}")
        if digest.hexdigest() != sha256:
            raise WeightsError(f"{what}: sha256 is {digest.hexdigest()}, expected {sha256}")


def write_json(target: Path, data: Any) -> None:
    """Write JSON to ``target``, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_header(path: Path) -> dict[str, Any]:
    """Read and check the JSON header of a safetensors file without reading a tensor.

    Raises:
        WeightsError: the header is cut short, is not JSON, or promises other data than is there.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size_bytes < 8 or length > min(size_bytes - 8, MAX_HEADER_BYTES):
            raise WeightsError(f"{path}: the safetensors header is cut short or lies on its length")
        raw = stream.read(length)
    try:
        header = json.loads(raw)
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        end = max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise WeightsError(f"{path}: the safetensors header is not readable ({error})") from error
    if end != size_bytes - 8 - length:
        raise WeightsError(
            f"{path}: found {size_bytes - 8 - length} bytes of tensors, the header says {end}"
        )
    return dict(header)
