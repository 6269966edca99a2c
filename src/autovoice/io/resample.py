"""Sample rate conversion with an exact output length (soxr by Rob Sykes, very high quality)."""

from __future__ import annotations

import numpy as np
import soxr

from autovoice.errors import InputError
from autovoice.types import FloatArray

_CHUNK_SAMPLES = 1 << 18


def resampled_length(length_samples: int, from_hz: int, to_hz: int) -> int:
    """Return the length after resampling: ``T * to / from`` rounded, halves upwards."""
    return (2 * length_samples * to_hz + from_hz) // (2 * from_hz)


def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """Change the sample rate.

    Long sounds go through in chunks, so that the extra memory does not grow with the length.

    Args:
        samples: float32.
        from_hz: rate of ``samples``, at least 1 Hz.
        to_hz: rate wanted, at least 1 Hz.

    Shape:
        ``[C, T]`` -> ``[C, T']`` with ``T' = round(T * to_hz / from_hz)``, halves upwards.

    Raises:
        InputError: a rate under 1 Hz.
    """
    if min(from_hz, to_hz) < 1:
        raise InputError(f"found a change from {from_hz} to {to_hz} Hz, expected at least 1 Hz")
    channels, length = samples.shape
    if from_hz == to_hz or length == 0:
        return samples.copy()
    out = np.zeros((channels, resampled_length(length, from_hz, to_hz)), np.float32)
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="VHQ")
    filled = 0
    for start in range(0, length, _CHUNK_SAMPLES):
        chunk = np.ascontiguousarray(samples[:, start : start + _CHUNK_SAMPLES].T)
        got = stream.resample_chunk(chunk, last=start + _CHUNK_SAMPLES >= length)
        got = got[: out.shape[1] - filled]
        out[:, filled : filled + len(got)] = got.T
        filled += len(got)
    return out
