"""Sample rate conversion with an exact output length (soxr by Rob Sykes, very high quality)."""

from __future__ import annotations

import numpy as np
import soxr

from autovoice.errors import InputError
from autovoice.types import FloatArray

_CHUNK_SAMPLES = 1 << 18


def resampled_length(length_samples: int, from_hz: int, to_hz: int) -> int:
    """Return the length after resampling: ``T * to / from`` rounded, halves upwards."""
    return (2 * length_samples * to_hz + from_hz) // (2 * from_hz)


class Resampler:
    """Change the sample rate block by block; all blocks together equal ``resample``.

    Args:
        from_hz: rate of the input, at least 1 Hz.
        to_hz: rate wanted, at least 1 Hz.
        channels: number of channels, C.

    Raises:
        InputError: a rate or channel count under 1.
    """

    def __init__(self, from_hz: int, to_hz: int, channels: int) -> None:
        if min(from_hz, to_hz, channels) < 1:
            raise InputError(
                f"found a change from {from_hz} to {to_hz} Hz of {channels} channels, "
                "expected at least 1 of each"
            )
        self._rates = (from_hz, to_hz)
        self._channels = channels
        self._taken = self._given = 0
        self._stream: soxr.ResampleStream | None = None
        if from_hz != to_hz:
            self._stream = soxr.ResampleStream(
                from_hz, to_hz, channels, dtype="float32", quality="VHQ"
            )

    def feed(self, block: FloatArray) -> FloatArray:
        """Take in a block, ``[C, n]``, and return what is ready, ``[C, m]``."""
        self._taken += block.shape[1]
        if self._stream is None:
            return block
        out: FloatArray = self._stream.resample_chunk(np.ascontiguousarray(block.T)).T
        self._given += out.shape[1]
        return out

    def finish(self) -> FloatArray:
        """Return the rest, ``[C, m]``, which makes the whole exactly as long as it must be."""
        if self._stream is None:
            return np.zeros((self._channels, 0), np.float32)
        rest = self._stream.resample_chunk(np.zeros((0, self._channels), np.float32), last=True).T
        missing = max(resampled_length(self._taken, *self._rates) - self._given, 0)
        out = np.zeros((self._channels, missing), np.float32)
        out[:, : rest.shape[1]] = rest[:, :missing]
        return out


def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    """Change the sample rate.

    Long sounds go through in chunks, so that the extra memory does not grow with the length.

    Args:
        samples: float32.
        from_hz: rate of ``samples``, at least 1 Hz.
        to_hz: rate wanted, at least 1 Hz.

    Shape:
        ``[C, T]`` -> ``[C, T']`` with ``T' = round(T * to_hz / from_hz)``, halves upwards.

    Raises:
        InputError: a rate under 1 Hz.
    """
    channels, length = samples.shape
    resampler = Resampler(from_hz, to_hz, channels)
    out = np.zeros((channels, resampled_length(length, from_hz, to_hz)), np.float32)
    filled = 0
    for start in range(0, length, _CHUNK_SAMPLES):
        got = resampler.feed(samples[:, start : start + _CHUNK_SAMPLES])
        out[:, filled : filled + got.shape[1]] = got[:, : out.shape[1] - filled]
        filled += got.shape[1]
    if filled < out.shape[1]:
        out[:, filled:] = resampler.finish()
    return out
