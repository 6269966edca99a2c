"""Join what comes of one window to what came of the window before."""

from __future__ import annotations

import numpy as np

from autovoice.types import FloatArray

# Quieter overlaps say nothing about where two waves agree.
_LEAST_ENERGY = 1e-7


class Joiner:
    """Cross-fade windows, each moved by a few samples to where its wave agrees with the last one.

    The move is counted from each window's own place, so it never adds up.

    Args:
        fade_samples: length of the cross-fade.
        search_samples: how far a window may be moved to either side.

    Source: synchronised overlap-add (Roucos and Wilgus 1985).
    """

    def __init__(self, fade_samples: int, search_samples: int) -> None:
        self._fade, self._search = fade_samples, search_samples
        self._tail: FloatArray = np.zeros(fade_samples, np.float32)
        ramp = (np.arange(fade_samples) + 0.5) / fade_samples
        self._rising: FloatArray = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
        self._away = np.abs(np.arange(-search_samples, search_samples + 1))
        self.moved = 0

    def join(self, window: FloatArray, start: int, length: int, *, search: bool) -> FloatArray:
        """Return the next ``length`` samples.

        Args:
            window: ``[n]``; beyond its ends is silence.
            start: where in the window the next sample is; the fade and the search reach up to
                ``start + length + fade + search``.
            length: samples wanted.
            search: whether the window may be moved; ``moved`` tells by how much it was.

        Shape: ``[length]``.
        """
        self.moved = self._best(window, start) if search and self._search else 0
        made = cut(window, start + self.moved, length + self._fade).copy()
        new = made[: self._fade]
        new -= self._tail
        new *= self._rising
        new += self._tail
        self._tail = made[length:]
        return made[:length]

    def _best(self, window: FloatArray, start: int) -> int:
        reach = self._search
        around = cut(window, start - reach, self._fade + 2 * reach)
        if float(self._tail @ self._tail) < _LEAST_ENERGY * self._fade:
            return 0
        product = np.correlate(around, self._tail, mode="valid")
        total = np.zeros(len(around) + 1)
        np.square(around, dtype=np.float64).cumsum(out=total[1:])
        energy = total[self._fade :] - total[: -self._fade]
        likeness = product / np.sqrt(np.maximum(energy, _LEAST_ENERGY * self._fade))
        # Where places are as good, the nearest one.
        likeness -= 1e-4 * likeness.max() * self._away
        return int(likeness.argmax()) - reach


def cut(samples: FloatArray, start: int, length: int) -> FloatArray:
    """Return ``samples[start : start + length]`` with silence beyond the ends, ``[length]``."""
    stop = start + length
    if start >= 0 and stop <= len(samples):
        return samples[start:stop]
    inside = samples[max(start, 0) : max(stop, 0)]
    out: FloatArray = np.zeros(length, np.float32)
    first = max(-start, 0)
    out[first : first + len(inside)] = inside
    return out
