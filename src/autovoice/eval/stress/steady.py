"""Notes that are held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autovoice.eval.world import HOP_S

LEAST_S = 0.3
# Room for a vibrato of 100 cents either way.
RANGE_CENTS = 200.0


@dataclass(frozen=True)
class Stretch:
    """Frames of 10 ms on one note: the first, how many, and their median pitch."""

    first: int
    frames: int
    median_hz: float


def steady_stretches(f0_hz: NDArray[np.float64]) -> list[Stretch]:
    """Find stretches of 0.3 s or more that are voiced and stay within 200 cents.

    One starts at every frame that has one, as long as it can be; so they overlap.

    Args:
        f0_hz: ``[F]``, every 10 ms, 0 where unvoiced.
    """
    least = round(LEAST_S / HOP_S)
    cents = 1200.0 * np.log2(np.where(f0_hz > 0, f0_hz, 1.0))
    found = []
    for first in range(len(f0_hz) - least + 1):
        if f0_hz[first] > 0:
            stop = _end(f0_hz, cents, first)
            if stop - first >= least:
                found.append(Stretch(first, stop - first, float(np.median(f0_hz[first:stop]))))
    return found


def _end(f0_hz: NDArray[np.float64], cents: NDArray[np.float64], first: int) -> int:
    low = high = cents[first]
    stop = first
    while stop < len(f0_hz) and f0_hz[stop] > 0:
        low, high = min(low, cents[stop]), max(high, cents[stop])
        if high - low > RANGE_CENTS:
            break
        stop += 1
    return stop
