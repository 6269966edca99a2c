"""The part of a long recording that is scored."""

from __future__ import annotations

import numpy as np

from autovoice.types import Audio

MOST_S = 60.0
_BLOCK_S = 0.1
_RANGE_DB = 40.0
_SILENCE_DB = 60.0
_LOUD_PERCENTILE = 95.0


def most_active_part(audio: Audio, most_s: float = MOST_S) -> tuple[float, float]:
    """Find where the most is going on.

    Active is what lies within 40 dB of the loud parts, judged every 0.1 s.

    Args:
        audio: any length.
        most_s: length of the part. Default 60.

    Returns:
        Start and end in seconds; the whole recording when it is no longer than ``most_s``.
    """
    if audio.seconds <= most_s:
        return 0.0, audio.seconds
    block = max(1, round(_BLOCK_S * audio.sample_rate_hz))
    mono = audio.mono()
    count = len(mono) // block
    power = np.square(mono[: count * block].reshape(count, block)).mean(axis=1, dtype=np.float64)
    level_db = 10.0 * np.log10(power + 1e-12)
    # Where little sounds at all, most blocks are silence: the loud ones are found among the rest.
    sounding = level_db[level_db > level_db.max() - _SILENCE_DB]
    active = level_db > np.percentile(sounding, _LOUD_PERCENTILE) - _RANGE_DB
    width = min(count, round(most_s / _BLOCK_S))
    sums = np.cumsum(np.concatenate(([0], active.astype(np.int64))))
    start_s = int(np.argmax(sums[width:] - sums[:-width])) * block / audio.sample_rate_hz
    return start_s, start_s + most_s


def cut(audio: Audio, start_s: float, end_s: float) -> Audio:
    """Return the part of ``audio`` between two times."""
    first, last = (round(place_s * audio.sample_rate_hz) for place_s in (start_s, end_s))
    return Audio(audio.samples[:, first:last], audio.sample_rate_hz)
