"""A limiter that keeps the wave, also between the samples, under a ceiling."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.mix.curves import shaped
from autovoice.mix.true_peak import block_peaks, loud_block_peaks
from autovoice.types import FloatArray

CEILING_DBTP = -1.0
LOOK_AHEAD_S = 0.005
RELEASE_DB_PER_S = 40.0
BLOCK_SAMPLES = 16
# Four readings per sample miss up to 0.15 dB of what lies near 20 kHz, and a gain that moves bends
# the wave a little: this much is kept in hand.
MARGIN_DB = 0.2
# Sound over +60 dB is scaled down to that first, so that no arithmetic overflows.
MOST_LINEAR = 1000.0
PASSES = 3
# Blocks between two places that are turned down, up to which both are one.
_SHORT_GAP = 256


def limit(
    samples: FloatArray,
    sample_rate_hz: int,
    *,
    ceiling_dbtp: float = CEILING_DBTP,
    device: str | torch.device = "cpu",
) -> FloatArray:
    """Return the sound with no true peak over the ceiling.

    What is under the ceiling already comes back as it is. Otherwise one gain for all channels goes
    down within 5 ms before a peak and comes back at 40 dB/s after it; the result does not depend
    on how the work is cut into pieces.

    Args:
        samples: ``[C, T]``, finite, any level.
        sample_rate_hz: rate.
        ceiling_dbtp: the highest true peak allowed, dB relative to full scale. Default -1.
        device: where to compute. Default the CPU.

    Shape:
        ``[C, T]`` -> ``[C, T]``.
    """
    ceiling = 10 ** (ceiling_dbtp / 20)
    loudest = float(np.abs(samples).max(initial=0.0))
    if loudest > MOST_LINEAR:
        samples = samples * np.float32(MOST_LINEAR / loudest)
    target_dbtp = ceiling_dbtp - MARGIN_DB
    limited = samples
    for _ in range(PASSES):
        peaks = _peaks(limited, 10 ** (target_dbtp / 20), device)
        if peaks.size == 0 or peaks.max() <= ceiling:
            return limited
        reduction_db = _envelope(peaks, target_dbtp, sample_rate_hz)
        limited = _reduced(limited, reduction_db, device)
    # Reached only by waves made for it; the last few hundredths of a dB come off everywhere.
    highest = float(block_peaks(limited, BLOCK_SAMPLES, device).max())
    return limited * np.float32(min(10 ** (target_dbtp / 20) / highest, 1.0))


def _peaks(samples: FloatArray, over: float, device: str | torch.device) -> FloatArray:
    """Return the true peak of each block; on the CPU 0 for blocks that lie under ``over``."""
    if torch.device(device).type == "cpu":
        return loud_block_peaks(samples, BLOCK_SAMPLES, over)
    return block_peaks(samples, BLOCK_SAMPLES, device)


def _envelope(peaks: FloatArray, target_dbtp: float, sample_rate_hz: int) -> NDArray[np.float64]:
    """Return the reduction in dB at the centre of each block, never less than a peak needs."""
    quiet = 10 ** (target_dbtp / 20)
    needed = 20 * np.log10(np.maximum(peaks.astype(np.float64), quiet)) - target_dbtp
    # A straight release, as a running maximum: r[n] = max(needed[n], r[n - 1] - slope).
    slope = RELEASE_DB_PER_S * BLOCK_SAMPLES / sample_rate_hz * np.arange(needed.size)
    held = np.maximum.accumulate(needed + slope) - slope
    # The running maximum reaches one block further than the smoothing, so the straight line
    # between two blocks' centres is enough for every sample of both.
    reach = max(round(LOOK_AHEAD_S * sample_rate_hz / BLOCK_SAMPLES), 1)
    highest = ndimage.maximum_filter1d(held, 2 * (reach + 1) + 1, mode="nearest")
    window = np.hanning(2 * reach + 3)[1:-1]
    smooth: NDArray[np.float64] = ndimage.convolve1d(highest, window / window.sum(), mode="nearest")
    return smooth


def _reduced(
    samples: FloatArray, reduction_db: NDArray[np.float64], device: str | torch.device
) -> FloatArray:
    """Return the sound with a reduction that goes in straight lines from block to block."""
    gains = -reduction_db[None] / 20 * math.log(10)
    if torch.device(device).type != "cpu":
        return shaped(samples, gains, BLOCK_SAMPLES, device, curve=torch.exp)
    made = samples.astype(np.float32)
    for first, last in _touched(reduction_db):
        lines = np.exp(_lines(gains[0, first:last]))
        part = made[:, first * BLOCK_SAMPLES : last * BLOCK_SAMPLES]
        part *= lines[: part.shape[1]]
    return made


def _lines(values: NDArray[np.float64]) -> FloatArray:
    """Return straight lines between values at the centres of blocks, ``[N] -> [16 N]``.

    Those of ``curves.shaped``, whose interpolation for any step takes three times as long here.
    """
    ends = np.concatenate([values[:1], values, values[-1:]]).astype(np.float32)[:, None]
    share = ((np.arange(BLOCK_SAMPLES) + 0.5) / BLOCK_SAMPLES).astype(np.float32)
    lines: FloatArray = (ends[:-1] + np.diff(ends, axis=0) * share).reshape(-1)
    return lines[BLOCK_SAMPLES // 2 : -BLOCK_SAMPLES // 2]


def _touched(reduction_db: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the runs of blocks that hold a gain below 1: each its first and one past its last."""
    blocks = np.flatnonzero(reduction_db)
    if not len(blocks):
        return []
    # A line begins and ends in the middle of the blocks beside; short gaps are not worth a cut.
    cuts = np.flatnonzero(np.diff(blocks) > _SHORT_GAP) + 1
    return [
        (max(int(run[0]) - 1, 0), min(int(run[-1]) + 2, len(reduction_db)))
        for run in np.split(blocks, cuts)
    ]
