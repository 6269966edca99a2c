"""Leave long silences out of a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.types import FloatArray

_WINDOW_SAMPLES = 480
_LOUD_PERCENTILE = 95.0
_RANGE_DB = 30.0
_LEAST_DB = -70.0
_SMOOTH_WINDOWS = 8
_KEPT_WINDOWS = 7


def drop_silence(samples: FloatArray) -> FloatArray:
    """Return what is within 30 dB of the loud parts, with up to 0.1 s around it.

    Levels are taken in windows of 30 ms at 16 kHz, smoothed over eight; a remainder under one
    window at the end is cut off.

    Args:
        samples: ``[T]`` at 16 kHz.

    Shape: ``[T]`` -> ``[T']``, T' up to T; 0 when all is under -70 dBFS.
    """
    count = len(samples) // _WINDOW_SAMPLES
    if count == 0:
        return samples[:0]
    framed = samples[: count * _WINDOW_SAMPLES].reshape(count, _WINDOW_SAMPLES)
    kept: FloatArray = framed[_active(framed)].reshape(-1)
    return kept


def _active(framed: FloatArray) -> NDArray[np.bool_]:
    power = np.square(framed, dtype=np.float64).mean(axis=1)
    level_db = 10.0 * np.log10(power + 1e-12)
    least_db = max(float(np.percentile(level_db, _LOUD_PERCENTILE)) - _RANGE_DB, _LEAST_DB)
    loud = (level_db > least_db).astype(np.float64)
    share = ndimage.uniform_filter1d(loud, _SMOOTH_WINDOWS, mode="constant")
    spread: NDArray[np.bool_] = ndimage.binary_dilation(
        share > 0.5, np.ones(_KEPT_WINDOWS, np.bool_)
    )
    return spread
