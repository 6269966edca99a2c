"""A sung sound in closed form: harmonics through the resonances of a vowel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]
RATE_HZ = 24_000
# Centres of five resonances, Hz. The first three after Peterson and Barney, "Control methods used
# in a study of the vowels", 1952 (men), rounded; the upper two are those of a tube of 17 cm.
VOWELS = {
    "a": (730.0, 1090.0, 2440.0, 3500.0, 4500.0),
    "e": (530.0, 1840.0, 2480.0, 3500.0, 4500.0),
    "i": (270.0, 2290.0, 3010.0, 3500.0, 4500.0),
    "o": (570.0, 840.0, 2410.0, 3500.0, 4500.0),
    "u": (300.0, 870.0, 2240.0, 3500.0, 4500.0),
    "h": (500.0, 1500.0, 2500.0, 3500.0, 4500.0),
}
_BANDWIDTHS_HZ = (80.0, 90.0, 120.0, 150.0, 200.0)
# Nothing is sung above this, so that no harmonic folds back.
_HIGHEST_HZ = 10_800.0
_FADING_HZ = 600.0
_CONTROL_STEPS = 120  # 5 ms at 24 kHz


def resonance(frequency_hz: Wave, vowel: str, f0_hz: Wave | float = 0.0) -> NDArray[np.complex128]:
    """Return the complex gain of a vowel.

    ``H(f) = prod F^2 / (F^2 - f^2 + i f B)`` over five resonances ``F`` of bandwidth ``B``. Where
    somebody sings above the first resonance, that follows the pitch, as singers let it.

    Args:
        frequency_hz: any shape.
        vowel: one of ``VOWELS``.
        f0_hz: pitch, of a shape that fits; 0 for sounds without one. Default 0.
    """
    first, *others = VOWELS[vowel]
    centres: list[Wave | float] = [np.maximum(first, f0_hz), *others]
    gain = np.ones(np.shape(frequency_hz), dtype=np.complex128)
    for centre_hz, width_hz in zip(centres, _BANDWIDTHS_HZ, strict=True):
        square = np.square(centre_hz)
        gain *= square / (square - np.square(frequency_hz) + 1j * frequency_hz * width_hz)
    return gain


def sung(f0_hz: Wave, vowel: str, tilt_db: float = -6.0) -> Wave:
    """Sing a pitch curve on a vowel.

    ``x(t) = Im sum_n 2^(log2(n) tilt / 6.02) H(n f0) exp(i n phi(t))``, ``phi' = 2 pi f0``,
    divided by its own RMS at every instant: the level does not depend on pitch and vowel.

    Args:
        f0_hz: ``[T]`` at 24 kHz, from 20 Hz up.
        vowel: one of ``VOWELS``.
        tilt_db: fall of the harmonics, dB per octave: -12 is soft, -6 (the default) usual in song,
            -2 a shout.

    Returns:
        ``[T]``, of RMS 1.
    """
    turned = np.exp(2j * np.pi * np.cumsum(f0_hz) / RATE_HZ)
    control = np.unique(np.append(np.arange(0, len(f0_hz), _CONTROL_STEPS), len(f0_hz) - 1))
    low_hz = f0_hz[control]
    numbers = np.arange(1, int(_HIGHEST_HZ / low_hz.min()) + 1)[:, None]
    at_hz = numbers * low_hz
    fading = np.clip((_HIGHEST_HZ - at_hz) / _FADING_HZ, 0.0, 1.0)
    gains = resonance(at_hz, vowel, low_hz) * numbers ** (tilt_db / 6.0206) * fading
    gains /= np.sqrt(0.5 * np.sum(np.square(np.abs(gains)), axis=0))
    times, wave = np.arange(len(f0_hz)), np.zeros(len(f0_hz))
    harmonic = np.ones(len(f0_hz), dtype=np.complex128)
    for gain in gains:
        harmonic *= turned
        wave += np.interp(times, control, gain.real) * harmonic.imag
        wave += np.interp(times, control, gain.imag) * harmonic.real
    return wave
