"""Reading which GPUs a library has code for; the real one is read where it is compiled."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from autovoice.kernels import fatbin
from autovoice.kernels.fatbin import GpuCode

PTX, SASS = 1, 2
MANY = GpuCode(sass=(75, 80, 86, 90, 100, 120), ptx=(120,))


def container(entries: Sequence[tuple[int, int]]) -> bytes:
    """Return a container with code of 24 bytes for each kind and architecture."""
    body = b"".join(
        struct.pack("<HHIQIIHHI", kind, 0x101, 64, 24, 0, 0, 8, 1, number) + b"\x11" * (32 + 24)
        for kind, number in entries
    )
    return struct.pack("<IHHQ", fatbin.MAGIC, 1, 16, len(body)) + body


def elf(section: bytes, name: bytes = b".nv_fatbin") -> bytes:
    """Return an ELF file with a section of names and one other."""
    names = b"\0.shstrtab\0" + name + b"\0"
    parts = [(0, b""), (1, names), (11, section)]
    body, headers, at = b"", b"", 64
    for title, content in parts:
        headers += struct.pack("<IIQQQQIIQQ", title, 1, 0, 0, at, len(content), 0, 0, 8, 0)
        body, at = body + content, at + len(content)
    start = b"\x7fELF\x02\x01\x01" + bytes(9)
    start += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, len(parts), 1)
    return start + body + headers


def written(folder: Path, data: bytes) -> Path:
    path = folder / "some.so"
    path.write_bytes(data)
    return path


def test_what_every_source_has_counts(tmp_path: Path) -> None:
    one = container([(SASS, 90), (SASS, 75), (PTX, 90)])
    other = container([(SASS, 75), (SASS, 80), (PTX, 90), (PTX, 75)])
    path = written(tmp_path, elf(one + bytes(24) + other))
    assert fatbin.modules(path) == [GpuCode((75, 90), (90,)), GpuCode((75, 80), (75, 90))]
    assert fatbin.read(path) == GpuCode(sass=(75,), ptx=(90,))
    assert str(fatbin.read(path)) == "sm_75, PTX of compute_90"
    assert str(GpuCode((), ())) == "no GPU code"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no library", "expected a little-endian 64-bit ELF file"),
        (elf(b""), "found no GPU code"),
        (elf(container([(SASS, 90)]), b".text"), "found no GPU code"),
        (elf(b"\x01" * 64), "where a container begins"),
        (elf(container([(SASS, 90)])[:-70]), "cut off or damaged"),
        (elf(container([(SASS, 90)]))[:100], "cut off or damaged"),
        (elf(struct.pack("<IHHQ", fatbin.MAGIC, 1, 16, 64) + bytes(64)), "without a header"),
    ],
)
def test_what_is_not_understood_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        fatbin.read(written(tmp_path, data))


@pytest.mark.parametrize(
    ("capability", "fit"),
    [
        ((7, 0), "none"), ((7, 5), "sass"), ((8, 0), "sass"), ((8, 7), "sass"), ((8, 9), "sass"),
        ((9, 0), "sass"), ((10, 3), "sass"), ((11, 0), "none"), ((12, 1), "sass"),
        ((13, 0), "ptx"),
    ],
)  # fmt: skip
def test_machine_code_runs_on_later_cards_of_its_kind(
    capability: tuple[int, int], fit: str
) -> None:
    assert MANY.fit(capability) == fit
    assert GpuCode((86,), ()).fit((8, 0)) == "none"
