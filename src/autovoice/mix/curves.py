"""Slow curves with one value per 100 ms: smooth them, and apply them as gains."""

from __future__ import annotations

import numpy as np

from autovoice.mix.loudness import STEPS_PER_S, Powers
from autovoice.types import FloatArray

_PIECE_SAMPLES = 1 << 18


def smoothed(curve: Powers, width_s: float) -> Powers:
    """Return the curve averaged under a Hann window; at the ends over what is there.

    Args:
        curve: ``[N]``.
        width_s: width of the window between its zeros, seconds.
    """
    reach = max(round(width_s * STEPS_PER_S / 2), 1)
    window = np.hanning(2 * reach + 1)[1:-1]
    reach -= 1

    def centred(values: Powers) -> Powers:
        full: Powers = np.convolve(values, window)
        return full[reach : reach + values.size]

    averaged: Powers = centred(curve) / centred(np.ones_like(curve))
    return averaged


def with_gain(mono: FloatArray, gains: Powers, step_samples: int) -> FloatArray:
    """Return a sound in several channels, each with its own slow gain.

    Args:
        mono: ``[T]``.
        gains: ``[C, N]`` linear, at the centres of steps; straight lines between them.
        step_samples: samples per step.

    Shape:
        ``[T]`` -> ``[C, T]``.
    """
    placed = np.empty((gains.shape[0], mono.size), np.float32)
    centres = (np.arange(gains.shape[1]) + 0.5) * step_samples
    for start in range(0, mono.size, _PIECE_SAMPLES):
        piece = mono[start : start + _PIECE_SAMPLES]
        where = np.arange(start, start + piece.size) + 0.5
        for channel, gain in enumerate(gains):
            placed[channel, start : start + piece.size] = piece * np.interp(where, centres, gain)
    return placed
