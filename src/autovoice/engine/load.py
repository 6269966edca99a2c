"""Bring a song in: a path, an ``Audio`` or an array with its rate."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.engine.scratch import Scratch
from autovoice.errors import InputError, ResourceError
from autovoice.types import Audio, FloatArray

Song = str | Path | Audio | tuple[NDArray[Any], int]
_BLOCK_SAMPLES = 1 << 18
# What is longer holds its place for long.
LONG_S = 30.0
# A file's length is judged by its size: MP3 at 256 kb/s.
_BYTES_PER_S = 32_000


def rough_seconds(song: Song) -> float:
    """Guess how long a song is without reading it; 0 where that cannot be told."""
    if isinstance(song, Audio):
        return song.seconds
    if isinstance(song, str | Path):
        try:
            return Path(song).stat().st_size / _BYTES_PER_S
        except (OSError, ValueError):
            return 0.0  # whoever reads it will say what is wrong
    try:
        samples, rate_hz = song
        return float(max(samples.shape) / rate_hz)
    except (TypeError, ValueError, AttributeError, ZeroDivisionError):
        return 0.0


def load_song(song: Song, scratch: Scratch, max_seconds: float | None = None) -> Audio:
    """Return safe audio for whatever was passed.

    Args:
        song: a path, ``Audio``, or ``(samples [C, T] or [T], sample_rate_hz)``.
        scratch: says from which size on a file is decoded to disk instead of memory.
        max_seconds: longest song that is decoded. Default: see ``autovoice.io.read``.

    Raises:
        InputError: nothing usable; see ``autovoice.io.read``.
    """
    if isinstance(song, Audio):
        if not song.length_samples:
            raise InputError("song: found no samples, expected at least one")
        return io.sanitise(song)
    if isinstance(song, str | Path):
        most_s = io.DEFAULT_MAX_SECONDS if max_seconds is None else max_seconds
        with io.reading(song, max_seconds=most_s) as file:
            info = file.info
            seconds = info.claimed_seconds
            size = None if seconds is None else seconds * info.sample_rate_hz * info.channels * 4
            if size is not None and size <= scratch.in_memory_bytes:
                return file.read()
            return Audio(_paged(file, scratch), info.sample_rate_hz, info.metadata)
    if isinstance(song, tuple) and len(song) == 2:
        return io.from_array(song[0], int(song[1]))
    raise InputError(
        f"song: found {type(song).__name__}, expected a path, an Audio, or (samples, rate)"
    )


def _paged(song: io.Reading, scratch: Scratch) -> FloatArray:
    """Decode a long file into a temporary one and map it, ``[C, T]``."""
    channels = song.info.channels
    try:
        with tempfile.TemporaryFile(dir=scratch.folder) as file:
            for block in song.blocks(_BLOCK_SAMPLES):
                file.write(np.ascontiguousarray(block.T).data)
            file.flush()
            length = file.tell() // (4 * channels)
            samples = np.memmap(file, np.float32, "r+", shape=(length, channels))
    except OSError as error:
        raise ResourceError(
            f"no room for the decoded song ({error.strerror}); free disk space or set TMPDIR"
        ) from error
    transposed: FloatArray = samples.T
    return transposed
