"""What the API process and the live process say to one another: one connection per session.

A frame is its length in bytes (uint32, little-endian), a letter, and that many bytes: ``J`` a JSON
object, ``S`` sound, float32 little-endian. The API asks, the live process answers each question.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Any

import numpy as np

from autovoice.types import FloatArray

_HEAD = struct.Struct("<Ic")
# A second of sound at 48 kHz is 192 kB.
MOST_BYTES = 1 << 20
JSON, SOUND = b"J", b"S"


class BrokenFrames(ConnectionError):
    """The other side said what cannot be."""


async def send_json(writer: asyncio.StreamWriter, values: dict[str, Any]) -> None:
    """Send an object."""
    await _send(writer, JSON, json.dumps(values).encode())


async def send_sound(writer: asyncio.StreamWriter, samples: FloatArray) -> None:
    """Send sound, ``[T]``."""
    await _send(writer, SOUND, np.ascontiguousarray(samples, "<f4").tobytes())


async def receive(reader: asyncio.StreamReader) -> dict[str, Any] | FloatArray | None:
    """Return the next object or sound, None at the end of the connection.

    Raises:
        BrokenFrames: it is neither.
    """
    try:
        length, kind = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if length > MOST_BYTES:
            raise BrokenFrames(f"a frame of {length} bytes, expected at most {MOST_BYTES}")
        content = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        if isinstance(error, BrokenFrames):
            raise
        return None
    if kind == SOUND and length % 4 == 0:
        samples: FloatArray = np.frombuffer(content, "<f4").astype(np.float32)
        return samples
    values = json.loads(content) if kind == JSON else None
    if not isinstance(values, dict):
        raise BrokenFrames(f"a frame of kind {kind!r}, expected an object or sound")
    return values


async def _send(writer: asyncio.StreamWriter, kind: bytes, content: bytes) -> None:
    writer.write(_HEAD.pack(len(content), kind) + content)
    await writer.drain()
