"""Give the converted vocal the band above the model's: the source's own, at the new voice's level.

The voice model ends at 12 kHz. Above there is breath and hiss of the same articulation whoever
sings, and hardly any pitch, so the source's band goes on where the converted vocal ends: in each
10 ms as much louder or quieter as the converted vocal is just below.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from autovoice.types import FloatArray

# Where one takes over from the other; the model's sound is whole up to here after resampling.
CROSSOVER_HZ = 11_200.0
# The band in which the two are compared.
BELOW_HZ = (7_500.0, 11_000.0)
# A rate that leaves less than this above the crossover has no air to give.
LEAST_RATE_HZ = 26_000
MOST_UP_DB = 3.0
STEP_S = 0.010
_TAPS = 255
_PIECE_STEPS = 2_000
_FLOOR = 1e-10


def with_air(converted: FloatArray, source: FloatArray, rate_hz: int) -> FloatArray:
    """Return the converted vocal with the source's band above 11.2 kHz.

    Args:
        converted: ``[T]`` mono, nothing above 12 kHz.
        source: ``[T]`` mono, the vocal that was converted, in the same time.
        rate_hz: of both; below 26 kHz nothing is changed.

    Shape: ``[T]``.
    """
    if rate_hz < LEAST_RATE_HZ:
        return converted
    step = round(STEP_S * rate_hz)
    low = signal.firwin(_TAPS, CROSSOVER_HZ, fs=rate_hz).astype(np.float32)
    high = -low
    high[_TAPS // 2] += 1.0
    band = signal.firwin(_TAPS, BELOW_HZ, fs=rate_hz, pass_zero=False).astype(np.float32)
    made = np.empty_like(converted)
    # Two steps and the filters' reach on both sides, so that pieces join without a seam.
    context = 2 * step + step * -(-_TAPS // step)
    for first in range(0, len(converted), _PIECE_STEPS * step):
        end = min(first + _PIECE_STEPS * step, len(converted))
        new, old = (_cut(sound, first - context, end + context) for sound in (converted, source))
        gain = _gain(_filtered(new, band), _filtered(old, band), step)
        piece = _filtered(new, low) + gain * _filtered(old, high)
        made[first:end] = piece[context : context + end - first]
    return made


def _cut(sound: FloatArray, first: int, end: int) -> FloatArray:
    """Cut ``first`` to ``end``, silence beyond both ends of the sound."""
    inside = sound[max(first, 0) : max(min(end, len(sound)), 0)]
    return np.pad(inside, (max(-first, 0), max(end - len(sound), 0)))


def _filtered(sound: FloatArray, taps: NDArray[np.float32]) -> FloatArray:
    filtered: FloatArray = signal.oaconvolve(sound, taps, mode="same").astype(np.float32)
    return filtered


def _gain(new: FloatArray, old: FloatArray, step: int) -> FloatArray:
    """Return how much louder the new band is, at every sample; straight lines between steps."""
    count = -(-len(new) // step)
    powers = [
        np.square(np.pad(sound, (0, count * step - len(sound)))).reshape(count, step).mean(1)
        for sound in (new, old)
    ]
    # Over three steps: one alone flutters.
    wide = [np.convolve(np.pad(power, 1, mode="edge"), np.ones(3) / 3, "valid") for power in powers]
    most = 10 ** (MOST_UP_DB / 20)
    gains = np.minimum(np.sqrt(wide[0] / np.maximum(wide[1], _FLOOR)), most)
    centres = (np.arange(count) + 0.5) * step
    between: FloatArray = np.interp(np.arange(len(new)) + 0.5, centres, gains).astype(np.float32)
    return between
