"""The peak of the wave between the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from autovoice.types import FloatArray

OVERSAMPLING = 4
TAPS = 48
KAISER_BETA = 8.0
_PIECE_SAMPLES = 1 << 15


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
    blocks = max(_PIECE_SAMPLES // block_samples, 1)
    half_size = fft.next_fast_len(blocks * block_samples // 2 + TAPS, real=True)
    spectrum = _between_spectrum(2 * half_size)
    for first in range(0, peaks.size, blocks):
        start = first * block_samples
        stop = min(start + blocks * block_samples, length)
        for channel in samples:
            found = _blockwise_max(_wave_peaks(channel, start, stop, spectrum), block_samples)
            target = peaks[first : first + found.size]
            np.maximum(target, found, out=target)
    return peaks


def true_peak(samples: FloatArray) -> float:
    """Return the true peak of a sound, linear; 0.0 when it is empty."""
    peaks = block_peaks(samples, 256)
    return float(peaks.max()) if peaks.size else 0.0


def _wave_peaks(
    channel: FloatArray, start: int, stop: int, spectrum: NDArray[np.complex64]
) -> FloatArray:
    """Return the peak of the wave from one sample before to one after each sample."""
    reach = TAPS // 2
    cut = _cut(channel, start - reach, stop + reach)
    points = stop - start + 1
    size = 2 * (spectrum.shape[1] - 1)
    # Point k lies between samples k - 1 and k of this stretch, so there is one more of them.
    waves = fft.irfft(fft.rfft(cut, size) * spectrum, size, axis=1)[:, TAPS - 1 : TAPS - 1 + points]
    between = np.abs(waves).max(axis=0)
    peaks: FloatArray = np.abs(cut[reach:-reach])
    np.maximum(peaks, between[:-1], out=peaks)
    np.maximum(peaks, between[1:], out=peaks)
    return peaks


def _between_spectrum(size: int) -> NDArray[np.complex64]:
    """Return the filters that find the wave at 1/4, 2/4 and 3/4 between two samples, ``[3, K]``."""
    offsets = np.arange(TAPS) - (TAPS // 2 - 1)
    distance = offsets - np.arange(1, OVERSAMPLING)[:, None] / OVERSAMPLING
    window = np.i0(KAISER_BETA * np.sqrt(1 - (distance / (TAPS / 2)) ** 2)) / np.i0(KAISER_BETA)
    # Turned round, because a convolution reads its filter backwards.
    taps = (np.sinc(distance) * window).astype(np.float32)[:, ::-1]
    spectrum: NDArray[np.complex64] = fft.rfft(taps, size, axis=1)
    return spectrum


def _cut(channel: FloatArray, start: int, stop: int) -> FloatArray:
    """Return samples ``start`` to ``stop``, with zeros outside."""
    inside = channel[max(start, 0) : max(stop, 0)]
    before = max(-start, 0)
    return np.pad(inside, (before, stop - start - before - inside.size))


def _blockwise_max(values: FloatArray, block_samples: int) -> FloatArray:
    padded = np.pad(values, (0, -values.size % block_samples))
    highest: FloatArray = padded.reshape(-1, block_samples).max(axis=1)
    return highest
