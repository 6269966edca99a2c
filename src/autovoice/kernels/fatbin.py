"""Which GPUs a compiled library has code for, read from the library itself.

nvcc puts one container per source file into the ELF section ``.nv_fatbin``: a header of 16 bytes,
then entries, each a header and code for one architecture, as machine code (SASS) or as PTX. Only
headers are read, so it does not matter whether the code is compressed. The layout is documented
nowhere: it was found by comparing files with what nvcc had been told, so anything new is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SECTION = b".nv_fatbin"
MAGIC = 0xBA55ED50
_PTX, _SASS = 1, 2


@dataclass(frozen=True)
class GpuCode:
    """Code of a library or of one of its source files.

    Args:
        sass: architectures with machine code, sorted; 90 is compute capability 9.0.
        ptx: those with PTX, which the driver compiles for them and for all newer ones.
    """

    sass: tuple[int, ...]
    ptx: tuple[int, ...]

    def __str__(self) -> str:
        """Say both lists as nvcc names them."""
        parts = [f"sm_{number}" for number in self.sass]
        parts += [f"PTX of compute_{number}" for number in self.ptx]
        return ", ".join(parts) or "no GPU code"

    def fit(self, capability: tuple[int, int]) -> str:
        """Return ``sass``, ``ptx`` (compiled by the driver at first use) or ``none`` for a GPU.

        Machine code runs on its own major version from its own minor version on.
        """
        wanted = capability[0] * 10 + capability[1]
        if any(wanted // 10 == number // 10 and number <= wanted for number in self.sass):
            return "sass"
        return "ptx" if any(number <= wanted for number in self.ptx) else "none"


def read(path: Path) -> GpuCode:
    """Return the code that every source file of a library has.

    Raises:
        ValueError: not a 64-bit ELF file, no GPU code in it, or a container that is not understood.
    """
    return common(modules(path))


def modules(path: Path) -> list[GpuCode]:
    """Return the code of each source file in a library; raises as ``read``."""
    try:
        found = [_gathered(entries) for entries in _containers(_section(path.read_bytes()))]
    except (struct.error, IndexError) as error:
        raise ValueError(f"{path.name}: cut off or damaged ({error})") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if not found:
        raise ValueError(f"{path.name}: found no GPU code, expected a library made by nvcc")
    return found


def common(codes: Sequence[GpuCode]) -> GpuCode:
    """Return what all of ``codes`` have."""
    sass = set.intersection(*(set(code.sass) for code in codes))
    ptx = set.intersection(*(set(code.ptx) for code in codes))
    return GpuCode(tuple(sorted(sass)), tuple(sorted(ptx)))


def _section(elf: bytes) -> bytes:
    """Return the section with GPU code; empty where there is none."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError("found another format, expected a little-endian 64-bit ELF file")
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    start = headers[names][4]
    for name, _, _, _, offset, length in headers:
        if elf[start + name : elf.index(b"\0", start + name)] == SECTION:
            return elf[offset : offset + length]
    return b""


def _containers(section: bytes) -> Iterator[list[tuple[int, int]]]:
    """Yield kind and architecture of the entries of each container."""
    at = 0
    while at < len(section):
        if not any(section[at : at + 8]):  # containers start at multiples of 8
            at += 8
            continue
        magic, _, header, length = struct.unpack_from("<IHHQ", section, at)
        if magic != MAGIC:
            raise ValueError(f"found {magic:#x} where a container begins, expected {MAGIC:#x}")
        end = at + header + length
        yield list(_entries(section, at + header, end))
        at = end


def _entries(section: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    while at < end:
        kind, _, header, length = struct.unpack_from("<HHIQ", section, at)
        (architecture,) = struct.unpack_from("<I", section, at + 0x1C)
        if header == 0:
            raise ValueError(f"found an entry without a header at byte {at} of {SECTION.decode()}")
        yield kind, architecture
        at += header + length


def _gathered(entries: Sequence[tuple[int, int]]) -> GpuCode:
    by_kind = {
        wanted: tuple(sorted({number for kind, number in entries if kind == wanted}))
        for wanted in (_SASS, _PTX)
    }
    return GpuCode(sass=by_kind[_SASS], ptx=by_kind[_PTX])
