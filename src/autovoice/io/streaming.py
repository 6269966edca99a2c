"""Change the sample rate of a live stream, with a fixed delay of a millisecond or two.

soxr's streams hold back 20 to 75 ms each way (measured, by rate and quality), which is more than
the rest of a live conversion may take; here it is half a filter. Output sample ``j`` is the input
at ``j * from_hz / to_hz``, counted in whole numbers, so that nothing drifts.

Source: windowed-sinc interpolation (Smith and Gossett 1984).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from autovoice.errors import InputError
from autovoice.types import FloatArray

# Zero crossings of the filter to each side, at the lower of both rates.
CROSSINGS = 32
_CUTOFF = 0.92
_KAISER_BETA = 8.0
# Filters kept for the places between two samples; between them straight lines, -100 dB off.
_MOST_PHASES = 512
# Up to so many phases are read one after another: the samples of each lie evenly apart in memory,
# so that nothing has to be gathered.
_FEW_PHASES = 8


class StreamResampler:
    """Resample one channel block by block.

    Args:
        from_hz, to_hz: rates, at least 1 Hz.
        behind: samples of the input by which what comes in is late; a part of an output sample is
            added, ``late`` in all, so that the delay is whole output samples. Default 0.

    Raises:
        InputError: a rate under 1 Hz.
    """

    def __init__(self, from_hz: int, to_hz: int, behind: int = 0) -> None:
        if min(from_hz, to_hz) < 1:
            raise InputError(f"found a change from {from_hz} to {to_hz} Hz, expected at least 1 Hz")
        common = int(np.gcd(from_hz, to_hz))
        self._up, self._down = to_hz // common, from_hz // common
        self.reach = 0 if self._up == self._down else _reach(from_hz, to_hz)
        self._table = _table(self._up, from_hz, to_hz) if self.reach else None
        self.late = -(-behind * self._up // self._down)
        # What is added, in parts of ``up`` to an input sample.
        self._added = self.late * self._down - behind * self._up
        # Silence before the stream; the first kept sample is input ``_first``.
        self._kept: FloatArray = np.zeros(self.reach + self._added // self._up, np.float32)
        self._first = -len(self._kept)
        self._taken = self._given = 0

    def ready(self, taken: int) -> int:
        """Return how many samples are out after ``taken`` samples in."""
        if not self.reach:
            return taken
        return max(0, -(-((taken - self.reach) * self._up + self._added) // self._down))

    def feed(self, block: FloatArray) -> FloatArray:
        """Take in ``[n]`` and return what is ready, ``[m]``."""
        self._taken += len(block)
        if self._table is None:
            self._given = self._taken
            return block
        kept = np.concatenate([self._kept, block])
        # Of few phases the first place of each tells all others.
        count = self.ready(self._taken) - self._given
        few = self._up <= _FEW_PHASES
        wanted = self._given + np.arange(min(count, self._up) if few else count, dtype=np.int64)
        place = wanted * self._down - self._added
        start = place // self._up - self.reach + 1 - self._first
        read = self._read_evenly if few else self._read
        out = read(kept, start, place % self._up, count)
        self._given += count
        # The next sample's filter begins here.
        following = self._given * self._down - self._added
        drop = min(max(following // self._up - self.reach + 1 - self._first, 0), len(kept))
        self._kept, self._first = kept[drop:], self._first + drop
        return out

    def _read(
        self, kept: FloatArray, start: np.ndarray, phase: np.ndarray, _count: int
    ) -> FloatArray:
        assert self._table is not None  # noqa: S101
        phases = len(self._table) - 1
        place = phase * phases / self._up
        left = place.astype(np.int64)
        part = (place - left).astype(np.float32)[:, None]
        taps = self._table[left]
        if phases != self._up:
            taps = taps + part * (self._table[left + 1] - taps)
        windows = kept[start[:, None] + np.arange(2 * self.reach)]
        out: FloatArray = np.einsum("mt,mt->m", windows, taps)
        return out

    def _read_evenly(
        self, kept: FloatArray, start: np.ndarray, phase: np.ndarray, count: int
    ) -> FloatArray:
        """Return what ``_read`` does, phase by phase, from where each begins."""
        assert self._table is not None  # noqa: S101
        out: FloatArray = np.empty(count, np.float32)
        size = kept.itemsize
        for first in range(len(start)):
            shape = (len(range(first, count, self._up)), 2 * self.reach)
            rows: FloatArray = np.ndarray(
                shape, np.float32, kept, int(start[first]) * size, (self._down * size, size)
            )
            out[first :: self._up] = np.einsum("mt,t->m", rows, self._table[phase[first]])
        return out


def _reach(from_hz: int, to_hz: int) -> int:
    """Return how many input samples the filter reaches to each side."""
    return int(np.ceil(CROSSINGS * max(1.0, from_hz / to_hz)))


@lru_cache(maxsize=64)
def _table(up: int, from_hz: int, to_hz: int) -> FloatArray:
    """Return the filters for places between two samples, ``[phases + 1, 2 * reach]``."""
    phases = min(up, _MOST_PHASES)
    reach = _reach(from_hz, to_hz)
    lower = min(1.0, to_hz / from_hz)
    part = np.arange(phases + 1)[:, None] / phases
    distance = np.arange(-reach + 1, reach + 1)[None] - part
    inside = np.clip(1 - (distance / reach) ** 2, 0, None)
    window = np.i0(_KAISER_BETA * np.sqrt(inside)) / np.i0(_KAISER_BETA)
    taps = np.sinc(distance * lower * _CUTOFF) * window
    taps /= taps.sum(axis=1, keepdims=True)
    table: FloatArray = taps.astype(np.float32)
    table.setflags(write=False)
    return table
