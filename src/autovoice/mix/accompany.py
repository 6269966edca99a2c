"""Put a vocal that has no song of its own over a backing track."""

from __future__ import annotations

import math

import numpy as np

from autovoice.errors import InputError
from autovoice.io.resample import resample
from autovoice.mix.limiter import CEILING_DBTP, limit
from autovoice.mix.loudness import integrated_lufs
from autovoice.types import Audio, FloatArray

# A sung lead stands about as loud as all else together.
VOCAL_OVER_BACKING_LU = 0.0
MOST_GAIN_DB = 24.0


def accompany(
    vocal: Audio,
    backing: Audio,
    *,
    vocal_gain_db: float = 0.0,
    ceiling_dbtp: float = CEILING_DBTP,
) -> Audio:
    """Return vocal and backing together, both from their first sample on.

    The vocal is made as loud as the backing (integrated loudness); the backing stays as it is,
    until the limiter.

    Args:
        vocal: mono, any rate.
        backing: any rate and channels.
        vocal_gain_db: on top of that, -60 to 24 dB. Default 0.
        ceiling_dbtp: highest true peak of the result, dB. Default -1.

    Returns:
        Audio at the rate and with the channels of the backing, as long as the longer of the two.

    Raises:
        InputError: the gain is out of range.
    """
    if not -60 <= vocal_gain_db <= 24:
        raise InputError(f"vocal_gain_db: found {vocal_gain_db}, expected -60 to 24 dB")
    rate_hz = backing.sample_rate_hz
    mono = vocal.mono()
    if vocal.sample_rate_hz != rate_hz:
        mono = resample(mono[None], vocal.sample_rate_hz, rate_hz)[0]
    gain_db = _matching_db(mono, backing) + vocal_gain_db
    length = max(len(mono), backing.length_samples)
    mixed = np.zeros((backing.channels, length), np.float32)
    mixed[:, : backing.length_samples] = backing.samples
    mixed[:, : len(mono)] += mono * np.float32(10 ** (gain_db / 20))
    return Audio(limit(mixed, rate_hz, ceiling_dbtp=ceiling_dbtp), rate_hz, backing.metadata)


def _matching_db(mono: FloatArray, backing: Audio) -> float:
    """Return the gain that makes the vocal as loud as the backing, 0 where one is silent."""
    # The vocal stands in every channel, and each of them counts.
    ours = integrated_lufs(mono[None], backing.sample_rate_hz) + 10 * math.log10(backing.channels)
    theirs = integrated_lufs(backing.samples, backing.sample_rate_hz)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return 0.0
    return min(max(theirs + VOCAL_OVER_BACKING_LU - ours, -MOST_GAIN_DB), MOST_GAIN_DB)
