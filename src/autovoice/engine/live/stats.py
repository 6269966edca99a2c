"""What a live session measures of itself."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Percentiles are over so many chunks, the newest.
KEPT = 2_000


@dataclass(frozen=True)
class LiveStats:
    """Figures of a session so far.

    Args:
        chunks: that were converted.
        silent_chunks: of these, that were silence and cost nothing.
        seconds: of sound.
        algorithmic_ms: from a sample in to the same sample out without any computing: the chunk
            itself and ``latency_samples``.
        compute_p50_ms, compute_p95_ms, compute_p99_ms, compute_worst_ms: of a chunk, waiting for
            the networks included; silent ones left out.
        realtime_factor: seconds of computing per second of sound; 1 and more cannot keep up.
        underruns: chunks that took longer than they last.
        semitones: the shift now.
    """

    chunks: int
    silent_chunks: int
    seconds: float
    algorithmic_ms: float
    compute_p50_ms: float
    compute_p95_ms: float
    compute_p99_ms: float
    compute_worst_ms: float
    realtime_factor: float
    underruns: int
    semitones: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            key: round(value, 4) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


class Meter:
    """Count chunks and what they took."""

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=KEPT)
        self._chunks = self._silent = self._underruns = 0
        self._sound_s = self._compute_s = self._worst_s = 0.0

    def add(self, took_s: float, sound_s: float, *, silent: bool) -> None:
        """Count one chunk."""
        self._chunks += 1
        self._silent += silent
        self._sound_s += sound_s
        self._compute_s += took_s
        self._underruns += took_s > sound_s
        if not silent:
            self._took_s.append(took_s)
            self._worst_s = max(self._worst_s, took_s)

    def stats(self, algorithmic_ms: float, semitones: int) -> LiveStats:
        """Return the figures."""
        took = np.array(self._took_s or [0.0]) * 1000
        p50, p95, p99 = (float(value) for value in np.percentile(took, [50, 95, 99]))
        return LiveStats(
            chunks=self._chunks,
            silent_chunks=self._silent,
            seconds=self._sound_s,
            algorithmic_ms=algorithmic_ms,
            compute_p50_ms=p50,
            compute_p95_ms=p95,
            compute_p99_ms=p99,
            compute_worst_ms=1000 * self._worst_s,
            realtime_factor=self._compute_s / self._sound_s if self._sound_s else 0.0,
            underruns=self._underruns,
            semitones=semitones,
        )
