"""Put octaves right: where the partials deny them, and where they jump for a moment only."""

from __future__ import annotations

import numpy as np

from autovoice.analyse.pitch.voicing import Mask, runs
from autovoice.kernels.pitch.constants import (
    FREE_STEP_OCTAVES,
    MAX_EXCURSION_S,
    SHIFTS_OCTAVES,
    VOTE_FRAMES,
)
from autovoice.types import FloatArray


def follow_evidence(f0_hz: FloatArray, evidence: FloatArray, voiced: Mask) -> FloatArray:
    """Shift by an octave where most of the frames around, in the same run, ask for it.

    Args:
        f0_hz: ``[F]`` frequency of each frame.
        evidence: ``[F]`` -1, 0 or 1 octave, from ``refine.octave_evidence``.
        voiced: ``[F]``.
    """
    shifted = f0_hz.copy()
    for first, end in runs(voiced):
        wish = evidence[first:end]
        if not wish.any():
            continue
        half = VOTE_FRAMES // 2
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(wish, half, mode="edge"), VOTE_FRAMES
        )
        shifted[first:end] *= np.exp2(np.median(around, axis=1))
    return shifted


def repair_octaves(
    f0_hz: FloatArray, voiced: Mask, hop_s: float, max_excursion_s: float = MAX_EXCURSION_S
) -> FloatArray:
    """Undo jumps of about an octave that return soon, run by run.

    The path of least cost is sought over the shifts 0, +1 and -1 octave (Viterbi): a jump of an
    octave costs 1, each second spent shifted costs ``2 / max_excursion_s``. So an excursion
    shorter than ``max_excursion_s`` is put back (at either end of a run, where only one jump
    tells: half of that), and a leap that holds is not touched.

    Args:
        f0_hz: ``[F]`` frequency of each frame.
        voiced: ``[F]``.
        hop_s: seconds between frames.
        max_excursion_s: longest excursion that counts as an error, seconds.
    """
    repaired = f0_hz.copy()
    for first, end in runs(voiced):
        repaired[first:end] = _without_spikes(f0_hz[first:end])
        octaves = np.log2(np.maximum(repaired[first:end], 1.0).astype(np.float64))
        if np.abs(np.diff(octaves)).max(initial=0.0) > FREE_STEP_OCTAVES:
            shifts = _best_shifts(octaves, 2 * hop_s / max_excursion_s)
            repaired[first:end] *= np.exp2(shifts)
    return repaired


def _without_spikes(f0_hz: FloatArray) -> FloatArray:
    """Replace one or two frames that are far from those on both sides by the median of five."""
    half = VOTE_FRAMES // 2
    padded = np.pad(f0_hz, half, mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, VOTE_FRAMES)
    middle = np.median(around, axis=1)
    spike = np.abs(np.log2(f0_hz / middle)) > FREE_STEP_OCTAVES
    cleaned: FloatArray = np.where(spike, middle, f0_hz).astype(np.float32)
    return cleaned


def _best_shifts(octaves: FloatArray, shifted_cost: float) -> FloatArray:
    shifts = np.asarray(SHIFTS_OCTAVES)
    stay = shifted_cost * np.abs(shifts)
    change = shifts[None, :] - shifts[:, None]
    costs = stay.copy()
    back = np.zeros((len(octaves), len(shifts)), dtype=np.int64)
    for frame, step in enumerate(np.diff(octaves), start=1):
        jump = np.maximum(np.abs(step + change) - FREE_STEP_OCTAVES, 0.0)
        total = costs[:, None] + jump / (1.0 - FREE_STEP_OCTAVES)
        back[frame] = total.argmin(axis=0)
        costs = total.min(axis=0) + stay
    state = int(costs.argmin())
    path = np.zeros(len(octaves), dtype=np.float32)
    for frame in range(len(octaves) - 1, -1, -1):
        path[frame] = shifts[state]
        state = int(back[frame, state])
    return path
