"""Change the sample rate of a live stream, with a fixed delay of a millisecond or two.

soxr's streams hold back 20 to 75 ms each way (measured, by rate and quality), which is more than
the rest of a live conversion may take; here it is half a filter. Output sample ``j`` is the input
at ``j * from_hz / to_hz``, counted in whole numbers, so that nothing drifts.

Source: windowed-sinc interpolation (Smith and Gossett 1984).
"""

from __future__ import annotations

from dataclasses import dataclass
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
# With no more phases than that, outputs are made in rows of whole turns of the phases, of at least
# so many, by products of matrices: every row reads the same filters, each from its own place on.
_LEAST_ROW = 32
# Rows of one product, and its multiplications: OpenBLAS takes several threads from 262,144 on.
_MOST_ROWS, _MOST_PRODUCTS = 8, 200_000


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
        self._first = self._reads_from(0) if self.reach else 0
        self._kept: FloatArray = np.zeros(-self._first, np.float32)
        self._taken = self._given = 0
        self._tile: _Tile | None = None
        if self.reach and self._up <= _MOST_PHASES:
            self._tile = _tile(self._up, self._down, from_hz, to_hz, -self._added % self._up)

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
        count = self.ready(self._taken) - self._given
        if self._tile is not None:
            return self._read_tiles(self._tile, block, count)
        kept = np.concatenate([self._kept, block])
        wanted = self._given + np.arange(count, dtype=np.int64)
        place = wanted * self._down - self._added
        start = place // self._up - self.reach + 1 - self._first
        out = self._read(kept, start, place % self._up)
        self._given += count
        drop = self._reads_from(self._given) - self._first
        self._kept, self._first = kept[drop:], self._first + drop
        return out

    def _reads_from(self, output: int) -> int:
        """Return the first input sample that an output sample's filter reads."""
        return (output * self._down - self._added) // self._up - self.reach + 1

    def _read(self, kept: FloatArray, start: np.ndarray, phase: np.ndarray) -> FloatArray:
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

    def _read_tiles(self, tile: _Tile, block: FloatArray, count: int) -> FloatArray:
        """Return the next outputs as ``_read`` would, to rounding.

        Products are of one shape, and begin at the same outputs however the stream is cut: so each
        output is the same to its last bit. What a row reads that is gone or has not come is 0; only
        outputs that were given, or are not ready, would need it.
        """
        size = tile.rows * tile.outputs
        first = self._given // size
        tiles = -(-(self._given + count) // size) - first
        begin = self._reads_from(first * size)
        behind = self._first - begin
        held = behind + len(self._kept)
        stop = held + len(block)
        length = (tiles * tile.rows - 1) * tile.inputs + len(tile.filters)
        heard: FloatArray = np.zeros(max(length, stop), np.float32)
        heard[behind:held] = self._kept
        heard[held:stop] = block
        shape = (tiles, tile.rows, len(tile.filters))
        step = heard.itemsize
        strides = (tile.rows * tile.inputs * step, tile.inputs * step, step)
        rows: FloatArray = np.ndarray(shape, np.float32, heard, 0, strides)
        made = (rows.copy() @ tile.filters).reshape(-1)
        skipped = self._given - first * size
        self._given += count
        self._first = self._reads_from(self._given)
        self._kept = heard[self._first - begin : stop].copy()
        out: FloatArray = made[skipped : skipped + count]
        return out


@dataclass(frozen=True, eq=False)
class _Tile:
    """A product of matrices that makes outputs.

    Args:
        filters: ``[K, outputs]``, what each output of a row takes of the ``K`` inputs from the
            row's first on.
        inputs: from row to row.
        outputs: of a row.
        rows: of a product.
    """

    filters: FloatArray
    inputs: int
    outputs: int
    rows: int


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


@lru_cache(maxsize=64)
def _tile(up: int, down: int, from_hz: int, to_hz: int, phase: int) -> _Tile:
    """Return the product for two rates, where the first output of a row has a phase of ``up``."""
    table, taps = _table(up, from_hz, to_hz), 2 * _reach(from_hz, to_hz)
    outputs = up * -(-_LEAST_ROW // up)
    places = phase + np.arange(outputs) * down
    filters: FloatArray = np.zeros((int(places[-1]) // up + taps, outputs), np.float32)
    for output, place in enumerate(places):
        filters[place // up : place // up + taps, output] = table[place % up]
    filters.setflags(write=False)
    rows = max(2, min(_MOST_ROWS, _MOST_PRODUCTS // filters.size))
    return _Tile(filters, outputs * down // up, outputs, rows)
