"""The peak of the wave between the samples."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.types import FloatArray

OVERSAMPLING = 4
TAPS = 48
KAISER_BETA = 8.0
REACH = TAPS // 2
# Points between samples are found for so many samples by one matrix product.
_FRAME = 64
_PIECE_SAMPLES = 1 << 18
# So many blocks that are loud are filtered by one product.
_PIECE_BLOCKS = 4_096


def block_peaks(
    samples: FloatArray, block_samples: int, device: str | torch.device = "cpu"
) -> FloatArray:
    """Return the true peak of every block, over all channels.

    The wave is read at four points per sample: the samples and three between each two, found by a
    windowed sinc of 48 taps. A point between two blocks counts for both.

    Args:
        samples: ``[C, T]``.
        block_samples: length of a block.
        device: where to compute. Default the CPU.

    Shape:
        ``[C, T]`` -> ``[ceil(T / block_samples)]``.

    Source: ITU-R BS.1770-4, annex 2.
    """
    length = samples.shape[1]
    peaks = np.zeros(-(-length // block_samples), np.float32)
    if not samples.shape[0]:
        return peaks
    blocks = max(_PIECE_SAMPLES // block_samples, 1)
    filters = between_filters().to(device)
    with torch.inference_mode():
        for first in range(0, peaks.size, blocks):
            start = first * block_samples
            stop = min(start + blocks * block_samples, length)
            wave = torch.from_numpy(_cut(samples, start - REACH, stop + REACH)).to(device)
            highest = wave_peaks(wave, filters).amax(0)
            whole = F.pad(highest, (0, -len(highest) % block_samples)).view(-1, block_samples)
            peaks[first : first + len(whole)] = whole.amax(1).cpu().numpy()
    return peaks


def loud_block_peaks(samples: FloatArray, block_samples: int, over: float) -> FloatArray:
    """Return the true peaks of ``block_peaks`` of every block that may lie over a level, else 0.

    No point between samples lies further out than the filters' largest sum times the samples that
    it is made of. So blocks whose surroundings are lower need no filter, which are most of them.

    Args:
        samples: ``[C, T]``.
        block_samples: length of a block.
        over: what is asked for, linear, over 0.

    Shape:
        ``[C, T]`` -> ``[ceil(T / block_samples)]``.
    """
    length = samples.shape[1]
    blocks = -(-length // block_samples)
    near = _highest(samples, block_samples, blocks)
    around = near.copy()
    for apart in range(1, min(-(-REACH // block_samples) + 1, blocks)):
        np.maximum(around[apart:], near[:-apart], out=around[apart:])
        np.maximum(around[:-apart], near[apart:], out=around[:-apart])
    chosen = np.flatnonzero(around * largest_gain() > over)
    peaks = np.zeros(blocks, np.float32)
    if not len(chosen):
        return peaks
    wave = _cut(samples, -REACH, blocks * block_samples + REACH)
    filters = point_filters(block_samples)
    frames = np.lib.stride_tricks.sliding_window_view(wave, len(filters), axis=1)
    for some in np.split(chosen, range(_PIECE_BLOCKS, len(chosen), _PIECE_BLOCKS)):
        points = np.abs(frames[:, some * block_samples] @ filters)
        # Beyond the last sample nothing is asked for; a point belongs to those on both sides.
        if some[-1] == blocks - 1:
            last = length - (blocks - 1) * block_samples
            points[:, -1, (OVERSAMPLING - 1) * (last + 1) :] = 0
        peaks[some] = np.maximum(points.max((0, 2)), near[some])
    return peaks


def true_peak(samples: FloatArray) -> float:
    """Return the true peak of a sound, linear; 0.0 when it is empty."""
    peaks = block_peaks(samples, 256)
    return float(peaks.max()) if peaks.size else 0.0


def wave_peaks(wave: Tensor, filters: Tensor) -> Tensor:
    """Return the peak from one sample before to one after each, ``[C, T + 48] -> [C, T]``."""
    count = wave.shape[1] - 2 * REACH
    # Point k lies between samples k - 1 and k, so there is one more of them.
    missing = -(count + 1) % _FRAME
    frames = F.pad(wave, (0, missing)).unfold(1, len(filters), _FRAME)
    points = (frames @ filters).view(len(wave), -1, OVERSAMPLING - 1, _FRAME).abs().amax(2)
    between = points.flatten(1)[:, : count + 1]
    peaks = torch.maximum(between[:, :-1], between[:, 1:])
    return torch.maximum(peaks, wave[:, REACH:-REACH].abs())


@cache
def between_filters() -> Tensor:
    """Return what finds the wave at 1/4, 2/4 and 3/4 before each of 64 samples, ``[111, 192]``."""
    offsets = np.arange(TAPS) - (REACH - 1)
    distance = offsets - np.arange(1, OVERSAMPLING)[:, None] / OVERSAMPLING
    window = np.i0(KAISER_BETA * np.sqrt(1 - (distance / REACH) ** 2)) / np.i0(KAISER_BETA)
    taps = np.sinc(distance) * window
    filters = np.zeros((TAPS + _FRAME - 1, OVERSAMPLING - 1, _FRAME), np.float32)
    for point in range(_FRAME):
        filters[point : point + TAPS, :, point] = taps.T
    return torch.from_numpy(filters.reshape(len(filters), -1))


def _highest(samples: FloatArray, block_samples: int, blocks: int) -> FloatArray:
    """Return the highest sample of each block over all channels, ``[blocks]``."""
    highest = np.zeros(blocks * block_samples, np.float32)
    np.abs(samples).max(0, initial=0.0, out=highest[: samples.shape[1]])
    # Halves of everything: many short rows take NumPy four times as long.
    while block_samples % 2 == 0:
        highest, block_samples = np.maximum(highest[0::2], highest[1::2]), block_samples // 2
    most: FloatArray = highest.reshape(blocks, block_samples).max(1, initial=0.0)
    return most


@cache
def point_filters(block_samples: int) -> FloatArray:
    """Return what finds the points around the samples of a block, ``[block + 48, 3 (block + 1)]``.

    They lie at 1/4, 2/4 and 3/4 before each sample and after the last.
    """
    one = between_filters().view(-1, OVERSAMPLING - 1, _FRAME)[:TAPS, :, 0].numpy()
    filters = np.zeros((block_samples + TAPS, block_samples + 1, OVERSAMPLING - 1), np.float32)
    for place in range(block_samples + 1):
        filters[place : place + TAPS, place] = one
    return filters.reshape(len(filters), -1)


@cache
def largest_gain() -> float:
    """Return how far out a point can lie against the samples that it is made of."""
    return float(np.abs(point_filters(1)).sum(0).max()) * (1 + 1e-5)


def _cut(samples: FloatArray, start: int, stop: int) -> FloatArray:
    """Return samples ``start`` to ``stop`` of ``[C, T]``, with zeros outside."""
    inside = samples[:, max(start, 0) : max(stop, 0)]
    before = max(-start, 0)
    after = stop - start - before - inside.shape[1]
    return np.pad(inside, ((0, 0), (before, after))).astype(np.float32, copy=False)
