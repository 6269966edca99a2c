"""What every pitch tracker does, and the way of running one over any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from autovoice.errors import InputError
from autovoice.types import FloatArray, Pitch

SAMPLE_RATE_HZ = 16_000


class PitchTracker(Protocol):
    """Find the fundamental frequency of one voice."""

    def track(self, samples: FloatArray) -> Pitch:
        """Track the pitch of 16 kHz mono audio, ``[T]``."""
        ...


def checked(samples: FloatArray) -> FloatArray:
    """Return mono samples as contiguous float32 ``[T]``.

    Raises:
        InputError: wrong shape, or values that are not finite.
    """
    if samples.ndim != 1:
        raise InputError(
            f"pitch: found samples of shape {list(samples.shape)}, expected mono [T] at 16 kHz; "
            "mix the channels down first"
        )
    found: FloatArray = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(found).all():
        raise InputError("pitch: found NaN or Inf in the samples, expected finite audio")
    return found


def levelled(samples: FloatArray, peak: float = 0.15) -> FloatArray:
    """Scale to a common peak, so that a quiet take is tracked like a loud one; silence stays.

    The networks hear voice in faint noise when it is scaled up: of peaks from 0.05 to 1, this one
    was the lowest that lost no notes.
    """
    found = float(np.abs(samples).max(initial=0.0))
    if found < 1e-5:
        return np.zeros_like(samples)
    return samples * np.float32(peak / found)


def chunks(frames: int, chunk: int, context: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut ``frames`` into chunks; yield (first, end, first with context, end with context)."""
    for first in range(0, frames, chunk):
        end = min(first + chunk, frames)
        yield first, end, max(0, first - context), min(frames, end + context)


def over_chunks(
    frames: int,
    chunk: int,
    context: int,
    work: Callable[[int, int], tuple[FloatArray, FloatArray]],
) -> tuple[FloatArray, FloatArray]:
    """Run ``work(first_frame, end_frame)`` over overlapping chunks and join what lies inside."""
    f0_hz = np.zeros(frames, dtype=np.float32)
    confidence = np.zeros(frames, dtype=np.float32)
    for first, end, left, right in chunks(frames, chunk, context):
        inside = slice(first - left, end - left)
        pair = work(left, right)
        f0_hz[first:end], confidence[first:end] = pair[0][inside], pair[1][inside]
    return f0_hz, confidence
