"""What a header promises, read without decoding, to tell a whole file from one that was cut off.

libsndfile quietly lowers a promised length to what the file has room for, so the promise of WAV,
RF64 and AIFF is read here, by chunk sizes alone; OGG promises nothing, but its last page is marked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_CHUNKS = 1_000
_OGG_TAIL_BYTES = 1 << 17
_PLAIN_CODINGS = (1, 3, 6, 7, 0xFFFE)  # PCM, float, A-law, mu-law, extensible


def promised_samples(path: Path) -> int | None:
    """Return the samples per channel that a WAV, RF64 or AIFF header promises, if it does."""
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
            return _wave(file)
        if start[:4] == b"FORM" and start[8:] in (b"AIFF", b"AIFC"):
            return _aiff(file)
    return None


def lacks_end(path: Path) -> bool:
    """Tell whether an OGG file stops before the page that is marked as its last."""
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        size = file.seek(0, 2)
        file.seek(max(0, size - _OGG_TAIL_BYTES))
        tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27 or not tail[page + 5] & 4:
        return True
    sizes = tail[page + 27 : page + 27 + tail[page + 26]]
    return len(sizes) < tail[page + 26] or len(tail) < page + 27 + len(sizes) + sum(sizes)


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Walk over chunks: name and size, the file standing at the chunk's first byte."""
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        size = struct.unpack(f"{order}I", head[4:])[0]
        yield head[:4], size
        position += 8 + size + size % 2


def _wave(file: BinaryIO) -> int | None:
    long_size, frame_bytes = 0, 0
    for name, size in _chunks(file, "<"):
        if name == b"ds64":
            body = file.read(16)
            long_size = struct.unpack("<Q", body[8:])[0] if len(body) == 16 else 0
        elif name == b"fmt ":
            body = file.read(16)
            if len(body) == 16 and struct.unpack("<H", body[:2])[0] in _PLAIN_CODINGS:
                frame_bytes = struct.unpack("<H", body[12:14])[0]
        elif name == b"data":
            promised = long_size if size == 0xFFFFFFFF else _unless_open(size)
            return promised // frame_bytes if promised and frame_bytes else None
    return None


def _unless_open(size: int) -> int:
    # Programs that write into a pipe cannot know the size; they leave 0 or a value near a limit.
    is_open = 0x7FFFF000 <= size <= 0x80000000 or size >= 0xFFFFF000
    return 0 if is_open else size


def _aiff(file: BinaryIO) -> int | None:
    for name, _ in _chunks(file, ">"):
        if name == b"COMM":
            body = file.read(6)
            return struct.unpack(">I", body[2:])[0] or None if len(body) == 6 else None
    return None
