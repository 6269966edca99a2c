"""Unvoiced sounds: noise in the shape of a sibilant, a whispered vowel or a breath."""

from __future__ import annotations

import numpy as np
from scipy import fft

from autovoice.eval.stress.tones import RATE_HZ, VOWELS, Wave, resonance

# Lower and upper edge in Hz, and how far each slope reaches.
_SIBILANTS = {"s": (4500.0, 9500.0, 700.0), "sh": (2500.0, 7000.0, 600.0)}
SOUNDS = (*_SIBILANTS, *VOWELS)
_RUMBLE_HZ = 150.0


def hiss(length: int, sound: str, seed: int) -> Wave:
    """Return shaped noise.

    White noise whose spectrum is multiplied with that of the sound: ``s`` and ``sh`` are bands with
    slopes of half a cosine, vowels (``h`` is a breath) their resonances over 150 Hz.

    Args:
        length: in samples at 24 kHz.
        sound: one of ``SOUNDS``.
        seed: the same gives the same noise.

    Returns:
        ``[length]``, of RMS 1.
    """
    spectrum = fft.rfft(np.random.default_rng(seed).standard_normal(length))
    spectrum *= _shape(fft.rfftfreq(length, 1.0 / RATE_HZ), sound)
    wave: Wave = fft.irfft(spectrum, length)
    wave /= np.sqrt(np.mean(np.square(wave)))
    return wave


def _shape(frequency_hz: Wave, sound: str) -> Wave:
    if sound in _SIBILANTS:
        low_hz, high_hz, slope_hz = _SIBILANTS[sound]
        inside = np.minimum(frequency_hz - low_hz, high_hz - frequency_hz) / slope_hz
        band: Wave = 0.5 - 0.5 * np.cos(np.pi * np.clip(0.5 + inside, 0.0, 1.0))
        return band
    return np.abs(resonance(frequency_hz, sound)) * (frequency_hz >= _RUMBLE_HZ)
