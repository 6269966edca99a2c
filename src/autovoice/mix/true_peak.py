"""The peak of the wave between the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autovoice.types import FloatArray

OVERSAMPLING = 4
TAPS = 48
KAISER_BETA = 8.0
_PIECE_BLOCKS = 1 << 11


def block_peaks(samples: FloatArray, block_samples: int) -> FloatArray:
    """Return the true peak of every block, over all channels.

    The wave is read at four points per sample: the samples and three between each two, found by a
    windowed sinc of 48 taps. A point between two blocks counts for both.

    Args:
        samples: ``[C, T]``.
        block_samples: length of a block.

    Shape:
        ``[C, T]`` -> ``[ceil(T / block_samples)]``.

    Source: ITU-R BS.1770-4, annex 2.
    """
    length = samples.shape[1]
    peaks = np.zeros(-(-length // block_samples), np.float32)
    kernel = _between()
    reach = TAPS // 2
    for first in range(0, peaks.size, _PIECE_BLOCKS):
        start = first * block_samples
        stop = min(start + _PIECE_BLOCKS * block_samples, length)
        for channel in samples:
            # One point more on each side, so that both neighbours see what lies between them.
            cut = _cut(channel, start - reach, stop + reach)
            windows = np.lib.stride_tricks.sliding_window_view(cut, TAPS)
            between = np.abs(windows @ kernel).max(axis=1)
            here = np.abs(cut[reach:-reach])
            np.maximum(here, between[:-1], out=here)
            np.maximum(here, between[1:], out=here)
            found = _blockwise_max(here, block_samples)
            target = peaks[first : first + found.size]
            np.maximum(target, found, out=target)
    return peaks


def true_peak(samples: FloatArray) -> float:
    """Return the true peak of a sound, linear; 0.0 when it is empty."""
    peaks = block_peaks(samples, 256)
    return float(peaks.max()) if peaks.size else 0.0


def _between() -> FloatArray:
    """Return the taps that find the wave at 1/4, 2/4 and 3/4 between two samples, ``[48, 3]``."""
    offsets = np.arange(TAPS)[:, None] - (TAPS // 2 - 1)
    distance = offsets - np.arange(1, OVERSAMPLING)[None] / OVERSAMPLING
    position = np.clip(distance / (TAPS / 2), -1, 1)
    window = np.i0(KAISER_BETA * np.sqrt(1 - position**2)) / np.i0(KAISER_BETA)
    taps: NDArray[np.float32] = (np.sinc(distance) * window).astype(np.float32)
    return taps


def _cut(channel: FloatArray, start: int, stop: int) -> FloatArray:
    """Return samples ``start`` to ``stop``, with zeros outside."""
    inside = channel[max(start, 0) : max(stop, 0)]
    before = max(-start, 0)
    return np.pad(inside, (before, stop - start - before - inside.size))


def _blockwise_max(values: FloatArray, block_samples: int) -> FloatArray:
    padded = np.pad(values, (0, -values.size % block_samples))
    highest: FloatArray = padded.reshape(-1, block_samples).max(axis=1)
    return highest
