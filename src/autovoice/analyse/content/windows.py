"""Cut any number of frames into overlapping windows and join them again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autovoice.types import FloatArray


def windows(frames: int, length: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of windows that cover ``frames``, evenly spread.

    Args:
        frames: how many to cover, at least 0.
        length: most frames in a window.
        overlap: least frames shared by neighbours, under ``length``.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"overlap: found {overlap}, expected 0 to {length - 1}")
    if frames <= length:
        if frames > 0:
            yield 0, frames
        return
    count = -(-(frames - overlap) // (length - overlap))
    for number in range(count):
        first = (frames - length) * number // (count - 1)
        yield first, first + length


def fade_in(shared: int) -> FloatArray:
    """Return the weights of the later window over the frames that two windows share.

    The outer quarters are 0 and 1: frames near the cut end of a window lack half of their
    context, so only the middle is mixed.
    """
    steps = (np.arange(shared, dtype=np.float32) + 0.5) / max(shared, 1)
    ramp: FloatArray = np.clip(2.0 * steps - 0.5, 0.0, 1.0).astype(np.float32)
    return ramp


class Joiner:
    """Lay windows into one array, cross-faded where they overlap.

    Args:
        whole: ``[L, F, D]``, written to in place.
    """

    def __init__(self, whole: FloatArray) -> None:
        self._whole = whole
        self._filled = 0

    def add(self, first: int, window: FloatArray) -> None:
        """Lay ``window: [L, n, D]`` at frame ``first``, which is not behind a gap."""
        shared = self._filled - first
        ramp = fade_in(shared)[None, :, None]
        end = first + window.shape[1]
        over = self._whole[:, first : self._filled]
        over += ramp * (window[:, :shared] - over)
        self._whole[:, self._filled : end] = window[:, shared:]
        self._filled = end
