"""Arrays for whole songs: in memory while they are small, else in files that the system pages."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autovoice.errors import ResourceError
from autovoice.types import FloatArray

IN_MEMORY_BYTES = 96 << 20


@dataclass(frozen=True)
class Scratch:
    """Hand out arrays of zeros.

    Args:
        in_memory_bytes: arrays above this size live in a nameless temporary file, which the system
            frees with the array. Default 96 MiB (4.7 minutes of stereo at 44.1 kHz).
        folder: where those files are. Default: the system's temporary folder.
    """

    in_memory_bytes: int = IN_MEMORY_BYTES
    folder: Path | None = None

    def zeros(self, channels: int, length: int) -> FloatArray:
        """Return ``[channels, length]`` zeros.

        Raises:
            ResourceError: there is no room on the disk.
        """
        if channels * length * 4 <= self.in_memory_bytes:
            return np.zeros((channels, length), np.float32)
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                file.truncate(channels * length * 4)
                return np.memmap(file, np.float32, "r+", shape=(channels, length))
        except OSError as error:
            raise ResourceError(
                f"no room for {channels * length * 4 >> 20} MiB of temporary audio "
                f"({error.strerror}); free disk space or set TMPDIR"
            ) from error


def relax(array: FloatArray) -> None:
    """Let the system take back the memory of a paged array; its content stays."""
    mapping = getattr(array, "_mmap", None)
    if isinstance(mapping, mmap.mmap) and hasattr(mapping, "madvise"):
        mapping.flush()
        mapping.madvise(mmap.MADV_DONTNEED)
