"""Write a PNG: 8 bits a pixel, through a palette."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE_COLOURS = 3


def png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG.

    Args:
        pixels: index into the palette, top row first, ``[height, width]``.
        palette: red, green, blue, ``[up to 256, 3]``.

    Source: W3C, PNG Specification, colour type 3.
    """
    height, width = pixels.shape
    if pixels.size == 0 or int(pixels.max()) >= len(palette):
        raise ValueError(
            f"found {height} x {width} pixels and {len(palette)} colours, expected at least one "
            "pixel, and a colour for each"
        )
    header = struct.pack(">IIBBBBB", width, height, 8, _PALETTE_COLOURS, 0, 0, 0)
    # Each row begins with the number of its filter; 0 is none, as indices do not predict well.
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = pixels
    packed = zlib.compress(rows.tobytes(), 9)
    chunks = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", packed), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def data_uri(data: bytes, media_type: str) -> str:
    """Return bytes as an address that needs no network."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
