"""Keep sung vowels at one level, and let long notes swell a little instead of dying away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.types import FloatArray

FRAME_S = 0.01
TARGET_DB = -21.0
# This much of the difference to the target goes: vowels differ, and words have their stress.
STRENGTH = 0.75
MOST_UP_DB, MOST_DOWN_DB = 12.0, 12.0
SMOOTH_S = 0.12
# At its edges a vowel is half consonant: that is not measured.
EDGE_S = 0.03
SWELL_DB, SWELL_FROM_S = 1.5, 0.8


def evened(samples: FloatArray, vowels_s: NDArray[np.float64], sample_rate_hz: int) -> FloatArray:
    """Return a phrase with its vowels brought near to -21 dB (RMS).

    Between vowels the gain goes in a straight line (in dB) from one to the next, so that
    consonants keep their place beside them.

    Args:
        samples: ``[T]`` mono.
        vowels_s: ``[V, 2]`` when each begins and ends.
        sample_rate_hz: their rate.

    Shape:
        ``[T] -> [T]``.
    """
    hop = max(1, round(FRAME_S * sample_rate_hz))
    frames = len(samples) // hop
    if not frames:
        return samples
    power = np.square(samples[: frames * hop].astype(np.float64)).reshape(frames, hop).mean(axis=1)
    power = ndimage.uniform_filter1d(power, round(SMOOTH_S / FRAME_S), mode="nearest")
    level_db = 10 * np.log10(np.maximum(power, 1e-12))
    times_s = (np.arange(frames) + 0.5) * hop / sample_rate_hz
    places: list[NDArray[np.int64]] = []
    gains: list[NDArray[np.float64]] = []
    for begin_s, end_s in vowels_s:
        edge_s = min(EDGE_S, 0.25 * (end_s - begin_s))
        inside = np.flatnonzero((times_s >= begin_s + edge_s) & (times_s < end_s - edge_s))
        wanted_db = TARGET_DB + _swell_db(times_s[inside] - begin_s, end_s - begin_s)
        places.append(inside)
        gains.append(STRENGTH * (wanted_db - level_db[inside]))
    where = np.concatenate(places) if places else np.zeros(0, np.int64)
    if not len(where):
        return samples
    gain_db = np.clip(np.concatenate(gains), -MOST_DOWN_DB, MOST_UP_DB)
    along_db = np.interp(np.arange(frames), where, gain_db)
    along_db = ndimage.gaussian_filter1d(along_db, 2.0, mode="nearest")
    centres = (np.arange(frames) + 0.5) * hop
    gain = 10 ** (np.interp(np.arange(len(samples)), centres, along_db) / 20)
    return (samples * gain).astype(np.float32)


def _swell_db(after_s: NDArray[np.float64], long_s: float) -> NDArray[np.float64]:
    """Return the swell of a long note: up to two fifths of it, then down."""
    if long_s < SWELL_FROM_S:
        return np.zeros_like(after_s)
    share = after_s / long_s
    return np.asarray(SWELL_DB * np.minimum(share / 0.4, (1.2 - share) / 0.8))
