"""Read pitch and energy at the decoder's frames."""

from __future__ import annotations

import numpy as np

from autovoice.types import Curve, FloatArray, Pitch

CURVE_RATE_HZ = 80
# The energy of silence: log of the smallest mel norm that training saw.
SILENCE = -9.5


def pitch_curve(pitch: Pitch, frames: int, semitones: float = 0.0) -> FloatArray:
    """Read F0 at ``(k + 0.5) / 80`` s, moved by ``semitones``.

    Log F0 is interpolated where both neighbours are voiced; elsewhere the nearest frame decides.

    Shape: ``[frames]``, 0 where unvoiced.
    """
    count = len(pitch.f0_hz)
    if not count:
        return np.zeros(frames, np.float32)
    times_s = (np.arange(frames) + 0.5) / CURVE_RATE_HZ
    place = (times_s - pitch.offset_s) / pitch.hop_s
    left = np.clip(np.floor(place).astype(np.int64), 0, max(count - 2, 0))
    right = np.minimum(left + 1, count - 1)
    part = np.clip(place - left, 0.0, 1.0)
    low, high = pitch.f0_hz[left], pitch.f0_hz[right]
    both = (low > 0) & (high > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.exp(np.log(low) * (1 - part) + np.log(high) * part)
    f0_hz = np.where(both, between, np.where(part < 0.5, low, high))
    f0_hz = np.where((place > -1) & (place < count), f0_hz, 0.0) * 2.0 ** (semitones / 12)
    moved: FloatArray = f0_hz.astype(np.float32)
    return moved


def energy_curve(energy: Curve, frames: int) -> FloatArray:
    """Read the energy at ``k / 80`` s. Shape: ``[frames]``."""
    if not len(energy.values):
        return np.full(frames, SILENCE, np.float32)
    place = (np.arange(frames) / CURVE_RATE_HZ - energy.offset_s) / energy.hop_s
    values = np.interp(place, np.arange(len(energy.values)), energy.values)
    read: FloatArray = np.maximum(values, SILENCE).astype(np.float32)
    return read
