"""Slow curves with one value per 100 ms: smooth them, and apply them as gains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

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


def shaped(
    samples: FloatArray,
    curves: Powers,
    step_samples: int,
    device: str | torch.device = "cpu",
    *,
    curve: Callable[[Tensor], Tensor] = lambda gains: gains,
) -> FloatArray:
    """Return a sound under slow gains, piece by piece.

    Args:
        samples: ``[T]`` or ``[C, T]``.
        curves: ``[C, N]`` or ``[1, N]``: what ``curve`` turns into linear gains, at the centres of
            steps; straight lines between them, flat beyond the outer ones.
        step_samples: samples per step.
        device: where to compute. Default the CPU.
        curve: from the curves to gains. Default: they are gains.

    Shape:
        ``[C, T]``, with as many channels as the sound or the curves have.
    """
    sound = np.atleast_2d(samples)
    length = sound.shape[1]
    made = np.empty((max(len(sound), len(curves)), length), np.float32)
    steps = max(_PIECE_SAMPLES // step_samples, 1)
    with torch.inference_mode():
        for first in range(0, -(-length // step_samples), steps):
            start = first * step_samples
            piece = torch.from_numpy(sound[:, start : start + steps * step_samples]).to(device)
            # One step more on both sides, so that pieces join without a seam.
            where = np.clip(np.arange(first - 1, first + steps + 1), 0, curves.shape[1] - 1)
            cut = torch.from_numpy(curves[:, where].astype(np.float32)).to(device)
            lines = F.interpolate(
                cut[None], scale_factor=step_samples, mode="linear", align_corners=False
            )[0, :, step_samples : step_samples + piece.shape[1]]
            made[:, start : start + piece.shape[1]] = (piece * curve(lines)).cpu().numpy()
    return made
