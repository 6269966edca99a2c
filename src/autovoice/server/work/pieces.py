"""Converted pieces of a job on disk."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np

from autovoice.server.work.runner import Desk
from autovoice.types import FloatArray
from autovoice.voices.file import write_whole

log = logging.getLogger(__name__)


class FolderPieces:
    """Keeps pieces as ``.npy`` files, and tells the desk of each.

    Args:
        folder: of one job.
        desk: hears how many are safe.
    """

    def __init__(self, folder: Path, desk: Desk) -> None:
        self._folder, self._desk = folder, desk
        self._total: int | None = None
        self._done = 0

    def expect(self, total: int) -> None:
        """Note how many there will be."""
        self._total, self._done = total, 0

    def load(self, name: str) -> FloatArray | None:
        """Return a piece, if it is there and whole."""
        path = self._folder / f"{name}.npy"
        try:
            samples = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("a kept piece is damaged and is made again: %s", error)
            return None
        if samples.dtype != np.float32 or samples.ndim != 1:
            return None
        self._done += 1
        found: FloatArray = samples
        return found

    def save(self, name: str, samples: FloatArray) -> None:
        """Keep a piece, whole or not at all."""
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(samples, np.float32), allow_pickle=False)
        write_whole(self._folder / f"{name}.npy", buffer.getvalue())
        self._done += 1
        self._desk.checkpoint(self._done, self._total)
