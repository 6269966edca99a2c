"""The octave of a melody that has only begun."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autovoice.types import FloatArray, Pitch, Speaker

# After so much singing there is a first guess, after as much again another one, and after so much
# it stays. A guess takes longer than all else that the processor does for a chunk.
FIRST_S, SETTLED_S = 0.25, 3.0


class LiveShift:
    """Choose the shift from the first seconds of singing, then keep it.

    Args:
        wanted: semitones, or ``auto``.
        fit: ``(pitch, speaker) -> semitones``, of a whole melody.
    """

    def __init__(self, wanted: int | str, fit: Callable[[Pitch, Speaker], int]) -> None:
        self._wanted, self._fit = wanted, fit
        self._heard: list[FloatArray] = []
        self._heard_s = self._chosen_s = 0.0
        self.semitones = wanted if isinstance(wanted, int) else 0
        self.settled = isinstance(wanted, int)

    def add(self, f0_hz: FloatArray, hop_s: float, speaker: Speaker) -> None:
        """Take in the newest frames of the melody, ``[F]`` in Hz, 0 where unvoiced."""
        if self.settled:
            return
        voiced = f0_hz[f0_hz > 0]
        if not len(voiced):
            return
        self._heard.append(voiced)
        self._heard_s += len(voiced) * hop_s
        self.settled = self._heard_s >= SETTLED_S
        if self.settled or self._heard_s >= self._chosen_s + FIRST_S:
            self.choose(speaker)
            self._chosen_s = self._heard_s

    def choose(self, speaker: Speaker) -> None:
        """Fit what was heard so far to a voice; a new voice may need another octave."""
        if isinstance(self._wanted, int) or not self._heard or speaker.f0_median_hz <= 0:
            return
        melody = np.concatenate(self._heard)
        pitch = Pitch(melody, np.ones(len(melody), np.float32), 0.01)
        self.semitones = int(self._fit(pitch, speaker))
