"""Speech between processes: pieces on disk as a worker makes them, bytes as a caller hears them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from autovoice.types import FloatArray

SPEECH_HZ = 24_000
# Formats that can be sent while they are made: nothing in them depends on what is still to come.
STREAMED = frozenset({"pcm", "wav"})
_UNKNOWN = 0xFFFFFFFF
_FULL = 32767.0


def piece_name(index: int) -> str:
    """Return what a piece is called, without its suffix; pieces count from 0."""
    return f"{index:06d}"


def read_piece(folder: Path, index: int) -> bytes:
    """Return a piece as 16-bit samples, little-endian.

    Args:
        folder: of the pieces of one job.
        index: of the piece.

    Raises:
        OSError, ValueError: it is gone or damaged.
    """
    return pcm16(np.load(folder / f"{piece_name(index)}.npy", allow_pickle=False))


def pcm16(samples: FloatArray) -> bytes:
    """Return samples, ``[T]`` in [-1, 1], as 16-bit ones, little-endian."""
    sound: bytes = np.rint(np.clip(samples, -1.0, 1.0) * _FULL).astype("<i2").tobytes()
    return sound


def wav_head() -> bytes:
    """Return the head of a WAV of unknown length: 16 bits, mono, 24 kHz."""
    sound = struct.pack("<IHHIIHH", 16, 1, 1, SPEECH_HZ, 2 * SPEECH_HZ, 2, 16)
    whole = struct.pack("<4sI4s4s", b"RIFF", _UNKNOWN, b"WAVE", b"fmt ")
    return whole + sound + struct.pack("<4sI", b"data", _UNKNOWN)
