"""A stretch of a sound at another sample rate, as if the whole had been resampled."""

from __future__ import annotations

import math

import numpy as np

from autovoice.io.resample import resample
from autovoice.types import FloatArray

# The resampler's filter reaches a few milliseconds; this is where its edge effect is inaudible.
MARGIN_S = 0.05


def resampled_span(
    samples: FloatArray, from_hz: int, to_hz: int, start: int, stop: int, *, origin: int = 0
) -> FloatArray:
    """Return samples ``start`` to ``stop`` of the sound at ``to_hz``, reading only what it needs.

    Pieces are cut where both rates have a whole sample, at most 1 s apart, so that the phase of
    the filter is that of the whole.

    Args:
        samples: ``[C, T]`` at ``from_hz``.
        from_hz: rate of ``samples``.
        to_hz: rate of the result.
        start, stop: samples at ``to_hz``, counted from the start of the whole sound.
        origin: which sample of the whole, at ``from_hz``, is ``samples[:, 0]``.

    Shape:
        ``[C, T]`` -> ``[C, stop - start]``; zeros where ``samples`` has nothing.
    """
    wanted = np.zeros((samples.shape[0], stop - start), np.float32)
    common = math.gcd(from_hz, to_hz)
    step_in, step_out = from_hz // common, to_hz // common
    margin = math.ceil(MARGIN_S * to_hz) if from_hz != to_hz else 0
    end = origin + samples.shape[1]
    first = max((start - margin) // step_out, -(-origin // step_in))
    last = -(-(stop + margin) // step_out)
    piece = samples[:, first * step_in - origin : max(min(last * step_in, end) - origin, 0)]
    if piece.shape[1] == 0:
        return wanted
    found = resample(piece, from_hz, to_hz) if from_hz != to_hz else piece
    shift = first * step_out - start
    low, high = max(shift, 0), min(shift + found.shape[1], stop - start)
    if high > low:
        wanted[:, low:high] = found[:, low - shift : high - shift]
    return wanted
