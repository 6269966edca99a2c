"""The last seconds of a stream, in bounded memory."""

from __future__ import annotations

import numpy as np

from autovoice.types import FloatArray


class History:
    """Keep the newest samples, and noise that belongs to each of them.

    The same sample has the same noise in every window that holds it, so that breath and consonants
    of two windows agree where they are cross-faded.

    Args:
        size: samples kept.
        seed: of the noise.
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        self._kept: FloatArray = np.zeros((2, 2 * size), np.float32)
        self._end = size  # silence comes first
        self.heard = 0

    def push(self, samples: FloatArray) -> None:
        """Take in ``[n]``, at most ``size``."""
        count = len(samples)
        if self._end + count > self._kept.shape[1]:
            self._kept[:, : self._size] = self._kept[:, self._end - self._size : self._end]
            self._end = self._size
        place = slice(self._end, self._end + count)
        self._kept[0, place] = samples
        self._random.standard_normal(dtype=np.float32, out=self._kept[1, place])
        self._end += count
        self.heard += count

    def latest(self, length: int) -> tuple[FloatArray, FloatArray]:
        """Return the newest samples and their noise, ``[length]`` each; before the first, 0.

        They are views, good until the next ``push``; ``length`` is at most ``size``.
        """
        found = self._kept[:, self._end - length : self._end]
        return found[0], found[1]
