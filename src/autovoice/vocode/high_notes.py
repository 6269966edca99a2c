"""Sing notes above a decoder's reach: decode them lower, then drop every other harmonic.

A sound of pitch ``f`` added to itself ``1 / (2 f)`` later keeps only its even harmonics: it is an
octave higher, and its formants stay where they were. Source: the comb filter, which does what
pitch-synchronous overlap-add (Moulines and Charpentier 1990) does for a factor of two.

Why: held vowels of one decoder lost their pitch from 392 Hz on in a low voice and from 523 Hz on in
three others (not one frame of 880 Hz in tune), and a singer who was moved an octave up had none
of 412 frames between 600 and 800 Hz in tune. Lowered, all voices are in tune up to 1,047 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from autovoice.types import FloatArray
from autovoice.vocode.raising import raised_rows

# What a voice holds for sure, against the middle of its speech, and within which bounds.
ABOVE_SPEECH, LEAST_HZ, MOST_HZ = 2.4, 250.0, 320.0
# A note that was lowered stays so until it is a tone below.
_STAYS = 0.89
Octaves = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reach:
    """A melody, and how it is decoded.

    Args:
        f0_hz: ``[F]`` at 80/s, the melody as it shall be, 0 where unvoiced.
        octaves: ``[F]``, by how many octaves each frame is decoded lower.
    """

    f0_hz: FloatArray
    octaves: Octaves

    @classmethod
    def of(cls, f0_hz: FloatArray, f0_median_hz: float | None) -> Reach:
        """Keep a melody within reach of a voice whose speech has a median of so many Hz.

        None leaves it as it is.
        """
        if f0_median_hz is None:
            return cls(f0_hz, np.zeros(len(f0_hz), np.int64))
        return cls(f0_hz, octaves_down(f0_hz, surely_hz(f0_median_hz)))

    @property
    def low_hz(self) -> FloatArray:
        """What the decoder reads, ``[F]``."""
        low: FloatArray = (self.f0_hz / 2.0**self.octaves).astype(np.float32)
        return low

    @cached_property
    def lowered(self) -> FloatArray:
        """Octaves by which voiced frames are decoded lower, ``[F]``."""
        lowered: FloatArray = np.where(self.f0_hz > 0, self.octaves, 0).astype(np.float32)
        return lowered

    @property
    def turns(self) -> int:
        """The most octaves of a voiced frame; 0: nothing has to be raised."""
        return int(self.lowered.max(initial=0.0))

    @property
    def log_hz(self) -> FloatArray:
        """Logarithm of the melody in Hz, ``[F]``, through pauses too; 0 where nothing is raised."""
        if not self.turns:
            return np.zeros(len(self.f0_hz), np.float32)
        voiced = np.flatnonzero(self.f0_hz > 0)
        sung = np.log(self.f0_hz[voiced].astype(np.float64))
        filled: FloatArray = np.interp(np.arange(len(self.f0_hz)), voiced, sung).astype(np.float32)
        return filled

    def raised(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Bring what was decoded of ``low_hz`` to where it belongs; the rest stays as it is.

        Shape: ``[T]``, in no place later or louder than it was.
        """
        turns = self.turns
        if not turns:
            return samples
        with torch.inference_mode():
            rows = (torch.from_numpy(x)[None] for x in (samples, self.log_hz, self.lowered))
            made = raised_rows(*rows, turns=turns, sample_rate_hz=sample_rate_hz)
        found: FloatArray = made[0].numpy()
        return found


def surely_hz(f0_median_hz: float) -> float:
    """Return up to where a voice is decoded as it is, from the middle of its speech in Hz."""
    if f0_median_hz <= 0:
        return LEAST_HZ
    return float(np.clip(ABOVE_SPEECH * f0_median_hz, LEAST_HZ, MOST_HZ))


def octaves_down(f0_hz: FloatArray, most_hz: float) -> Octaves:
    """Return by how many octaves to lower each frame, ``[F] -> [F]``.

    Args:
        f0_hz: the melody, 0 where unvoiced; what is unvoiced goes with what came before.
        most_hz: nothing is left above.
    """
    octaves = np.zeros(len(f0_hz), np.int64)
    if f0_hz.max(initial=0.0) <= most_hz:
        return octaves
    now = 0
    for frame, hz in enumerate(f0_hz.tolist()):
        if hz > 0:
            while hz > most_hz * 2.0**now:
                now += 1
            while now and hz < _STAYS * most_hz * 2.0 ** (now - 1):
                now -= 1
        octaves[frame] = now
    return octaves
