"""Cut a long vocal into overlapping pieces, and blend what comes back.

Everything is counted in ticks of 100 ms: whole samples at 16, 24 and 48 kHz, four frames of the
decoder's words, eight of its pitch, five of the recogniser. A piece that starts on a tick starts on
the frame grid of each.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autovoice.types import Curve, FloatArray, Pitch

TICKS_PER_S = 10


@dataclass(frozen=True)
class Chunk:
    """One piece, in ticks.

    Args:
        start, stop: what the piece is responsible for.
        left, right: what the stages get: the same with context on both sides.
        fade_in, fade_out: half the blend with the neighbour; 0 at the ends of the vocal.
    """

    start: int
    stop: int
    left: int
    right: int
    fade_in: float
    fade_out: float

    @property
    def start_s(self) -> float:
        """Where the context begins, seconds."""
        return self.left / TICKS_PER_S

    @property
    def stop_s(self) -> float:
        """Where the context ends, seconds."""
        return self.right / TICKS_PER_S


def plan(
    ticks: int,
    *,
    longest: int,
    context: int,
    crossfade: float,
    activity: FloatArray | None = None,
) -> list[Chunk]:
    """Cut ``ticks`` into pieces of at most ``longest``, at quiet places where there are any.

    Args:
        ticks: length of the vocal.
        longest: longest piece without its context, at least 4.
        context: added on both sides, as far as the vocal reaches; at least half ``crossfade``.
        crossfade: length of the blend between neighbours, in ticks.
        activity: ``[ticks]``, how much goes on in each tick; pieces are cut where it is least.

    Returns:
        Chunks in order that cover every tick once.

    Raises:
        ValueError: the blend does not fit into the context or into the shortest piece.
    """
    if longest < 4 or crossfade / 2 > context or crossfade > longest / 4:
        raise ValueError(f"no room to blend: {longest=}, {context=}, {crossfade=} ticks")
    edges = [0]
    while ticks - edges[-1] > longest:
        edges.append(_cut(edges[-1], ticks, longest, activity))
    edges.append(ticks)
    half = crossfade / 2
    return [
        Chunk(
            start=start,
            stop=stop,
            left=max(0, start - context),
            right=min(ticks, stop + context),
            fade_in=half if start > 0 else 0.0,
            fade_out=half if stop < ticks else 0.0,
        )
        for start, stop in itertools.pairwise(edges)
    ]


def _cut(start: int, ticks: int, longest: int, activity: FloatArray | None) -> int:
    """Return where the piece from ``start`` ends: the quietest tick that leaves no crumb."""
    remaining = ticks - start
    if remaining < 2 * longest:
        low, high = remaining - longest, longest
        middle, spread = remaining // 2, longest // 4
        low, high = max(low, middle - spread, 1), min(high, middle + spread)
    else:
        low, high = max(longest // 2, 1), longest
    if activity is None:
        return start + high
    cuts = np.arange(start + low, start + high + 1)
    noise = _around(activity, cuts, 2) + 0.01 * _around(activity, cuts, 8)
    return int(cuts[::-1][np.argmin(noise[::-1])])  # the last of equals: longer pieces


def _around(activity: FloatArray, cuts: NDArray[np.int64], reach: int) -> FloatArray:
    """Return the mean activity of the ``reach`` ticks on both sides of each cut."""
    total = np.concatenate([[0.0], np.cumsum(activity, dtype=np.float64)])
    left = np.maximum(cuts - reach, 0)
    right = np.minimum(cuts + reach, len(activity))
    mean: FloatArray = ((total[right] - total[left]) / (right - left)).astype(np.float32)
    return mean


def window(chunk: Chunk, samples_per_tick: int) -> FloatArray:
    """Return the weight of each sample of a piece with its context.

    Neighbouring windows sum to one at every sample, so pieces that agree blend into what one piece
    would have been.

    Shape: ``[(right - left) * samples_per_tick]``.
    """
    length = (chunk.right - chunk.left) * samples_per_tick
    if (chunk.left, chunk.right, chunk.fade_in, chunk.fade_out) == (chunk.start, chunk.stop, 0, 0):
        return np.ones(length, np.float32)
    position = np.arange(length) + 0.5 + chunk.left * samples_per_tick
    weight = np.ones(length, np.float64)
    if chunk.left < chunk.start or chunk.fade_in:
        weight *= _ramp(position - chunk.start * samples_per_tick, chunk.fade_in * samples_per_tick)
    if chunk.right > chunk.stop or chunk.fade_out:
        weight *= _ramp(chunk.stop * samples_per_tick - position, chunk.fade_out * samples_per_tick)
    return weight.astype(np.float32)


def _ramp(distance: np.ndarray, half: float) -> np.ndarray:
    """Rise linearly from 0 at ``-half`` to 1 at ``half``; a step where that is under a sample."""
    if half < 0.5:
        return (distance > 0).astype(np.float64)
    return np.clip((distance + half) / (2 * half), 0.0, 1.0)


def curve_between(curve: Curve, start_s: float, stop_s: float) -> Curve:
    """Return the part of a curve between two times, with times counted from ``start_s``."""
    first, last, offset_s = _frames(curve.offset_s, curve.hop_s, len(curve.values), start_s, stop_s)
    return Curve(curve.values[first:last], curve.hop_s, offset_s)


def pitch_between(pitch: Pitch, start_s: float, stop_s: float) -> Pitch:
    """Return the part of a pitch curve between two times, with times counted from ``start_s``."""
    first, last, offset_s = _frames(pitch.offset_s, pitch.hop_s, len(pitch.f0_hz), start_s, stop_s)
    return Pitch(pitch.f0_hz[first:last], pitch.confidence[first:last], pitch.hop_s, offset_s)


def _frames(
    offset_s: float, hop_s: float, frames: int, start_s: float, stop_s: float
) -> tuple[int, int, float]:
    """Return the first frame, the one past the last, and the new offset.

    One frame more than needed stays on each side, for stages that interpolate.
    """
    first = int(np.clip(np.floor((start_s - offset_s) / hop_s + 1e-6), 0, max(frames - 1, 0)))
    last = int(np.clip(np.ceil((stop_s - offset_s) / hop_s - 1e-6) + 1, first, frames))
    return first, last, offset_s + first * hop_s - start_s


def curve_at(curve: Curve, length: int, rate_hz: int) -> FloatArray:
    """Return a curve at each of ``length`` samples, straight lines between its frames."""
    if not len(curve.values):
        return np.zeros(length, np.float32)
    hop, first = curve.hop_s * rate_hz, curve.offset_s * rate_hz
    if max(abs(hop - round(hop)), abs(first - round(first))) < 1e-6 and abs(first) <= hop:
        return _lines(curve.values, round(hop), round(first), length)
    frame = (np.arange(length) / rate_hz - curve.offset_s) / curve.hop_s
    values = np.interp(frame, np.arange(len(curve.values)), curve.values)
    return values.astype(np.float32)


def _lines(values: FloatArray, hop: int, first: int, length: int) -> FloatArray:
    """Return straight lines between values ``hop`` samples apart, the first at ``first``."""
    ends = (values[:1], values, np.repeat(values[-1:], max(2, -(-length // hop) - len(values) + 3)))
    held = np.concatenate(ends).astype(np.float64)
    part = np.arange(hop) / hop
    lines = held[:-1, None] + (held[1:] - held[:-1])[:, None] * part
    # The line before the first value begins a hop before it.
    return lines.reshape(-1)[hop - first : hop - first + length].astype(np.float32)


def per_tick(curve: Curve, ticks: int) -> FloatArray:
    """Return the largest value of a curve in each tick, 0 where it has none.

    Shape: ``[ticks]``.
    """
    at_s = curve.offset_s + np.arange(len(curve.values)) * curve.hop_s
    index = np.clip(np.floor(at_s * TICKS_PER_S).astype(np.int64), 0, max(ticks - 1, 0))
    highest = np.zeros(ticks, np.float32)
    np.maximum.at(highest, index, curve.values.astype(np.float32))
    return highest
