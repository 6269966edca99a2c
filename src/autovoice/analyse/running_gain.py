"""The level of a voice that is still being heard: what ``level_gain`` is to a whole recording."""

from __future__ import annotations

import math

import numpy as np

from autovoice.analyse.loudness import ACTIVE_RANGE, ACTIVE_RMS, LARGEST_GAIN
from autovoice.types import FloatArray

_FRAME_S = 0.05
# What was sung longer ago than about this weighs a third.
MEMORY_S = 10.0


class RunningGain:
    """Follow the gain that brings a voice to the model's level, from what was heard so far.

    Active are the 50 ms frames within 30 dB of the loudest; their power is averaged over the last
    ten seconds of singing, over all of it before.

    Args:
        sample_rate_hz: of what comes.
        memory_s: how long a level lasts. Default 10.
    """

    def __init__(self, sample_rate_hz: int, memory_s: float = MEMORY_S) -> None:
        self._size = round(_FRAME_S * sample_rate_hz)
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._loudest = 0.0
        self._power = 0.0
        self._frames = 0.0
        self._keep = 1.0 - _FRAME_S / memory_s

    def push(self, samples: FloatArray) -> float:
        """Take in ``[n]`` and return the gain, at most 30; 1 before anything was heard."""
        whole = np.concatenate([self._rest, samples], dtype=np.float64)
        whole_frames = len(whole) // self._size * self._size
        for start in range(0, whole_frames, self._size):
            frame = whole[start : start + self._size]
            self._add(float(frame @ frame) / self._size)
        self._rest = whole[whole_frames:].astype(np.float32)
        return self.gain

    @property
    def gain(self) -> float:
        """The gain as of now."""
        if self._frames <= 0 or self._power <= 0:
            return 1.0
        return min(ACTIVE_RMS / math.sqrt(self._power / self._frames), LARGEST_GAIN)

    def _add(self, power: float) -> None:
        if power <= 1e-10 or power <= self._loudest * ACTIVE_RANGE:
            return
        if power * ACTIVE_RANGE > self._power / max(self._frames, 1.0):
            self._power = self._frames = 0.0  # what was heard before was no voice beside this
        self._loudest = max(self._loudest * self._keep, power)
        self._power = self._power * self._keep + power
        self._frames = self._frames * self._keep + 1.0
