"""A vocal at the rates that the networks hear, block by block."""

from __future__ import annotations

import numpy as np

from autovoice import io
from autovoice.engine.scratch import Scratch, relax
from autovoice.types import Audio, FloatArray

_BLOCK_S = 30
_MARGIN_S = 1


def mono_at(audio: Audio, rate_hz: int, length: int, scratch: Scratch) -> FloatArray:
    """Return the mean of the channels at another rate, filled up with silence.

    Blocks begin at whole seconds, which are whole samples at any rate, so that they meet exactly;
    a second of margin on both sides keeps their seams out of the filter's reach.

    Args:
        audio: any rate and number of channels.
        rate_hz: the rate wanted.
        length: samples wanted; what is missing is silence, what is too much is cut.
        scratch: where long results live.

    Shape:
        ``[length]``
    """
    out: FloatArray = scratch.zeros(1, length)[0]
    from_hz = audio.sample_rate_hz
    whole_s = -(-audio.length_samples // from_hz)
    for start_s in range(0, whole_s, _BLOCK_S):
        left_s = max(0, start_s - _MARGIN_S)
        stop_s = start_s + _BLOCK_S
        cut = audio.samples[:, left_s * from_hz : (stop_s + _MARGIN_S) * from_hz]
        mono = cut.mean(axis=0, dtype=np.float32)[None]
        block = io.resample(mono, from_hz, rate_hz)[0]
        block = block[(start_s - left_s) * rate_hz : (stop_s - left_s) * rate_hz]
        start = start_s * rate_hz
        block = block[: max(0, length - start)]
        out[start : start + len(block)] = block
    relax(audio.samples)
    return out
