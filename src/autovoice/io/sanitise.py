"""The rule that makes any sound safe for the stages: finite, within [-1, 1], as long as before.

1. NaN, infinities and values beyond +-16 (24 dB over full scale) are damage and become 0; where
   they are more than half of all values the sound is refused.
2. Values under 1e-20 (-400 dB), denormals among them, become 0.
3. In a sound of a second or more, a channel whose mean is more than 0.01 from 0 loses that mean
   (a constant offset).
4. Where the peak then exceeds 1, the whole sound is divided by it: shape and balance stay.

Silence stays silence, short stays short, and every channel stays.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autovoice.errors import InputError
from autovoice.types import Audio, FloatArray

DAMAGE_LIMIT = 16.0
TINY_LIMIT = 1e-20
OFFSET_LIMIT = 0.01

_CHUNK_SAMPLES = 1 << 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Correction:
    """What to do to every block of one sound.

    Args:
        offset: ``[C]`` taken from each channel.
        gain: factor after that, at most 1.
        damaged: whether any value may be damaged.
    """

    offset: FloatArray
    gain: float = 1.0
    damaged: bool = True


class Levels:
    """Offset, peak and damage of a sound, gathered block by block.

    Args:
        channels: number of channels, C.
        sample_rate_hz: samples per second of each channel.
    """

    def __init__(self, channels: int, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._sum = np.zeros(channels, np.float64)
        self._low = np.full(channels, np.inf)
        self._high = np.full(channels, -np.inf)
        self._damaged = 0
        self.length_samples = 0

    def add(self, block: FloatArray) -> None:
        """Take in the next block, ``[C, n]``."""
        if block.shape[1] == 0:
            return
        low, high = block.min(axis=1), block.max(axis=1)
        # Written so that NaN, which both pass on and which compares as false, counts as damage.
        if not ((low >= -DAMAGE_LIMIT) & (high <= DAMAGE_LIMIT)).all():
            self._damaged += int(np.count_nonzero(_damage(block)))
            block = _without_damage(block)
            low, high = block.min(axis=1), block.max(axis=1)
        self._sum += block.sum(axis=1, dtype=np.float64)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        self.length_samples += block.shape[1]

    def correction(self, name: str = "the sound") -> Correction:
        """Return what makes the sound safe.

        Raises:
            InputError: it holds no samples, or more than half of them are damaged.
        """
        if self.length_samples == 0:
            raise InputError(f"{name}: found no samples, expected a sound; record or save it again")
        values = self.length_samples * len(self._sum)
        if 2 * self._damaged > values:
            raise InputError(
                f"{name}: found {self._damaged} of {values} values that are no number or beyond "
                f"+-{DAMAGE_LIMIT:.0f}, expected [-1, 1]; divide integer-scaled values by their "
                "full scale"
            )
        if self._damaged:
            _log.warning("%s: %d damaged values were set to 0", name, self._damaged)
        mean = self._sum / self.length_samples
        # In a short clip the mean may be a part of a slow wave.
        is_offset = (np.abs(mean) > OFFSET_LIMIT) & (self.length_samples >= self._rate_hz)
        offset = np.where(is_offset, mean, 0.0).astype(np.float32)
        peak = float(np.maximum(self._high - offset, offset - self._low).max())
        # One float32 step of headroom, so that rounding cannot lead above 1.
        gain = 1.0 if peak <= 1.0 else (1.0 - 2**-23) / peak
        if offset.any():
            _log.warning("%s: a constant offset was taken away", name)
        if gain < 1.0:
            _log.warning("%s: its peak of %.4f was brought down to 1", name, peak)
        return Correction(offset, gain, self._damaged > 0)


def correct(block: FloatArray, correction: Correction) -> FloatArray:
    """Apply a correction to one block and return a new one, ``[C, n]``."""
    clean = _without_damage(block) if correction.damaged else block.copy()
    if correction.offset.any():
        clean -= correction.offset[:, None]
    if correction.gain != 1.0:
        clean *= np.float32(correction.gain)
    clean[np.abs(clean) < TINY_LIMIT] = 0.0
    return np.clip(clean, -1.0, 1.0, out=clean)


def sanitise(audio: Audio, *, name: str = "the sound") -> Audio:
    """Make a sound finite and at most 1 in size without changing its length.

    Args:
        audio: any samples, ``[C, T]``.
        name: what messages call it.

    Shape:
        ``[C, T]`` -> ``[C, T]``.

    Raises:
        InputError: no samples, or more than half of them damaged.
    """
    levels = Levels(audio.channels, audio.sample_rate_hz)
    for start in range(0, audio.length_samples, _CHUNK_SAMPLES):
        levels.add(audio.samples[:, start : start + _CHUNK_SAMPLES])
    return replace(audio, samples=correct(audio.samples, levels.correction(name)))


def correct_in_place(samples: FloatArray, correction: Correction) -> None:
    """Apply a correction chunk by chunk, so that little extra memory is used."""
    for start in range(0, samples.shape[1], _CHUNK_SAMPLES):
        part = slice(start, start + _CHUNK_SAMPLES)
        samples[:, part] = correct(samples[:, part], correction)


def _damage(block: FloatArray) -> NDArray[np.bool_]:
    # Written so that NaN, which compares as false, counts as damage.
    return ~(np.abs(block) <= DAMAGE_LIMIT)


def _without_damage(block: FloatArray) -> FloatArray:
    return np.where(_damage(block), np.float32(0), block)
