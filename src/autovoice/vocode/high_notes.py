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

import numpy as np
from numpy.typing import NDArray

from autovoice.types import FloatArray

F0_RATE_HZ = 80
# What a voice holds for sure, against the middle of its speech, and within which bounds.
ABOVE_SPEECH, LEAST_HZ, MOST_HZ = 2.4, 250.0, 320.0
# A note that was lowered stays so until it is a tone below.
_STAYS = 0.89
_FADE_S = 0.012
_LEVEL_S = 0.04
_MOST_GAIN = 4.0
Octaves = NDArray[np.int64]
_Sound = NDArray[np.float64]


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

    def raised(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Bring what was decoded of ``low_hz`` to where it belongs, ``[T]``."""
        return raised(samples, self.f0_hz, self.octaves, sample_rate_hz)


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


def raised(
    samples: FloatArray, f0_hz: FloatArray, octaves: Octaves, sample_rate_hz: int
) -> FloatArray:
    """Bring notes that were decoded lower to where they belong; the rest stays as it is.

    Args:
        samples: ``[T]``, decoded with each frame of ``f0_hz`` lowered by ``octaves``.
        f0_hz: ``[F]``, the melody as it shall be, frame ``k`` at ``(k + 0.5) / 80`` s.
        octaves: ``[F]``, of ``octaves_down``.
        sample_rate_hz: of the samples.

    Shape: ``[T]``, in no place later or louder than it was.
    """
    voiced = f0_hz > 0
    if not (voiced & (octaves > 0)).any():
        return samples
    place = np.arange(len(samples)) * (F0_RATE_HZ / sample_rate_hz) - 0.5
    hz = np.exp(np.interp(place, np.flatnonzero(voiced), np.log(f0_hz[voiced])))
    nearest = np.clip(np.rint(place).astype(np.int64), 0, len(f0_hz) - 1)
    fade = np.hanning((round(_FADE_S * sample_rate_hz) | 1) + 2)[1:-1]
    sound = samples.astype(np.float64)
    for turn in range(int(octaves.max()), 0, -1):
        lowered = (voiced & (octaves >= turn))[nearest].astype(np.float64)
        share = np.convolve(lowered, fade / fade.sum(), "same")
        apart = 2.0 ** (turn - 1) * sample_rate_hz / hz
        even = 0.5 * (_read(sound, -0.5 * apart) + _read(sound, 0.5 * apart))
        gain = _level(sound, sample_rate_hz) / np.maximum(_level(even, sample_rate_hz), 1e-6)
        sound += share * (even * np.clip(gain, 1.0, _MOST_GAIN) - sound)
    return sound.astype(np.float32)


def _read(sound: _Sound, offset: _Sound) -> _Sound:
    """Read ``[T]`` between samples, ``offset`` from each, by Catmull-Rom."""
    place = np.clip(np.arange(len(sound)) + offset, 1, len(sound) - 3)
    left = np.floor(place).astype(np.int64)
    part = place - left
    before, here, there, after = (sound[left + k] for k in (-1, 0, 1, 2))
    bend = 2 * before - 5 * here + 4 * there - after + part * (3 * (here - there) + after - before)
    curve: _Sound = here + 0.5 * part * (there - before + part * bend)
    return curve


def _level(sound: _Sound, sample_rate_hz: int) -> _Sound:
    """Return the level around each sample, ``[T]``."""
    half = round(_LEVEL_S * sample_rate_hz / 2)
    total = np.concatenate([[0.0], np.cumsum(np.square(sound))])
    here = np.arange(len(sound))
    first, last = np.maximum(here - half, 0), np.minimum(here + half + 1, len(sound))
    level: _Sound = np.sqrt(np.maximum(total[last] - total[first], 0.0) / (last - first))
    return level
