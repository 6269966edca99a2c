"""Decide which frames are voiced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autovoice.types import FloatArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class VoicingRules:
    """How sure a frame must be, and what is too short to count.

    Args:
        start: confidence at which a voiced run may begin, 0 to 1.
        hold: confidence down to which it goes on.
        min_run_s: shorter voiced runs are dropped.
        max_gap_s: shorter gaps inside a voiced stretch are filled.
        gate_db: level in dBFS under which nothing is voiced.
        range_db: the same, below the loud part of the recording.
    """

    start: float = 0.5
    hold: float = 0.45
    min_run_s: float = 0.045
    max_gap_s: float = 0.035
    gate_db: float = -66.0
    range_db: float = 50.0


def runs(mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield the (first, end) frames of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end)


def frame_level_db(
    samples: FloatArray, frames: int, hop_samples: int, offset_samples: int = 0
) -> FloatArray:
    """Measure the RMS level of two hops around each frame's centre, in dBFS, floor -120.

    Shape: samples ``[T]`` -> ``[frames]``.
    """
    centre = offset_samples + hop_samples * np.arange(frames)
    total = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    last = len(samples)
    left = np.clip(centre - hop_samples, 0, last)
    right = np.clip(centre + hop_samples, 0, last)
    power = np.maximum(total[right] - total[left], 0.0) / (2 * hop_samples)
    level: FloatArray = (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)
    return level


def decide_voicing(
    confidence: FloatArray, level_db: FloatArray, hop_s: float, rules: VoicingRules
) -> Mask:
    """Turn confidence and level into a voicing decision with hysteresis.

    Args:
        confidence: ``[F]`` in [0, 1].
        level_db: ``[F]`` level of each frame in dBFS.
        hop_s: seconds between frames.
        rules: thresholds.
    """
    if confidence.size == 0:
        return np.zeros(0, dtype=np.bool_)
    loud = float(np.percentile(level_db, 95))
    audible = level_db > max(rules.gate_db, loud - rules.range_db)
    held = audible & (confidence >= rules.hold)
    voiced = np.zeros_like(held)
    for first, end in runs(held):
        voiced[first:end] = bool((confidence[first:end] >= rules.start).any())
    for first, end in list(runs(~voiced)):
        inside = first > 0 and end < len(voiced)
        if inside and (end - first) * hop_s <= rules.max_gap_s and audible[first:end].all():
            voiced[first:end] = True
    for first, end in list(runs(voiced)):
        if (end - first) * hop_s < rules.min_run_s:
            voiced[first:end] = False
    return voiced
