"""How far apart two spectrograms are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, signal

from autovoice.eval.aligned import aligned_mono, common_rate_hz
from autovoice.types import Audio, FloatArray

MOST_RATE_HZ = 24_000
_LEAST_RATE_HZ = 8000
_BLOCK_FRAMES = 512
# A power of 1e-7 is the floor, as in the authors' code.
_FLOOR = 1e-7


class Resolution(NamedTuple):
    """One of the spectrograms, in samples."""

    fft: int
    hop: int
    window: int


RESOLUTIONS = (
    Resolution(512, 50, 240),
    Resolution(1024, 120, 600),
    Resolution(2048, 240, 1200),
)


def mr_stft_distance(output: Audio, source: Audio) -> float:
    """Measure the distance between the magnitude spectrograms of an output and its source.

    The mean over three resolutions of spectral convergence (Frobenius norm of the difference
    over that of the source) plus mean absolute difference of the natural logarithms. Levels are
    not matched: an output that is 6 dB too loud is that much away. Both are mixed down, brought
    to 24 kHz or to the lower rate of the two, and cut to the shorter length; a delay is not taken
    out. Figures at different rates do not compare. Works block by block.

    Args:
        output, source: any rates from 8 kHz up; at most 0.5 s apart in length.

    Returns:
        0 for equal sounds; a few tenths for good copies; open upwards.

    Raises:
        NotApplicable: one is empty or silent, lengths differ, or a rate is under 8 kHz.

    Source: Yamamoto et al., "Parallel WaveGAN", 2020.
    """
    rate_hz = common_rate_hz(output, source, least_hz=_LEAST_RATE_HZ, most_hz=MOST_RATE_HZ)
    ours, theirs = aligned_mono(output, source, rate_hz)
    return float(np.mean([_distance(ours, theirs, each) for each in RESOLUTIONS]))


def _distance(ours: FloatArray, theirs: FloatArray, resolution: Resolution) -> float:
    apart = whole = logs = 0.0
    count = 0
    pairs = zip(_blocks(ours, resolution), _blocks(theirs, resolution), strict=True)
    for one, other in pairs:
        apart += float(np.square(one - other).sum(dtype=np.float64))
        whole += float(np.square(other).sum(dtype=np.float64))
        logs += float(np.abs(np.log(one / other)).sum(dtype=np.float64))
        count += one.size
    return float(np.sqrt(apart / whole)) + logs / count


def _blocks(samples: FloatArray, resolution: Resolution) -> Iterator[FloatArray]:
    """Yield magnitudes, ``[at most 512, fft // 2 + 1]``; the first frame is centred at 0."""
    half = resolution.window // 2
    # Single precision halves the time; the sums over blocks are double.
    window = signal.get_window("hann", resolution.window).astype(np.float32)
    padded = np.pad(samples, (half, half))
    frames = sliding_window_view(padded, resolution.window)[:: resolution.hop]
    for first in range(0, len(frames), _BLOCK_FRAMES):
        piece = frames[first : first + _BLOCK_FRAMES] * window
        power = np.square(np.abs(fft.rfft(piece, resolution.fft, axis=1)))
        yield np.sqrt(np.maximum(power, np.float32(_FLOOR)))
