"""How loud the new voice must be, over time, to be as loud as the old one."""

from __future__ import annotations

import math

import numpy as np

from autovoice.mix.curves import smoothed
from autovoice.mix.loudness import Powers, block_means, gated

SMOOTHING_S = 1.5
MOST_UP_DB = 6.0
MOST_DOWN_DB = 9.0
# Powers this far under the vocal's own count as silence on both sides, and silence asks nothing.
FLOOR_DB = -40.0
MOST_MATCH_DB = 40.0


def matching_gain(source: Powers, converted: Powers) -> float:
    """Return the gain that makes the converted vocal as loud as the source vocal.

    Both are measured over the 400 ms blocks in which the source passes the gates of BS.1770, so
    neither pauses nor what the separator left in them count.

    Args:
        source: ``[N]`` K-weighted powers, summed over the channels.
        converted: ``[N]`` the same of the converted vocal.

    Returns:
        A linear gain of at most 40 dB either way; 0.0 where one of the two is silent.
    """
    kept = gated(source)
    if not kept.any():
        return 0.0
    wanted = float(block_means(source)[kept].mean())
    found = float(block_means(converted)[kept].mean())
    if found <= 0:
        return 0.0
    limit = 10 ** (MOST_MATCH_DB / 20)
    return min(max(math.sqrt(wanted / found), 1 / limit), limit)


def following_gain(source: Powers, converted: Powers, strength: float) -> Powers:
    """Return a slow gain that gives the converted vocal the loud and soft phrases of the source.

    The ratio of the two levels over 1.5 s, at most 6 dB up and 9 dB down, around their overall
    ratio: fast enough for phrases, too slow to flatten vowels or raise breaths.

    Args:
        source: ``[N]`` K-weighted powers, summed over the channels.
        converted: ``[N]`` the same of the converted vocal.
        strength: 0 leaves the dynamics of the converted vocal, 1 takes those of the source.

    Returns:
        ``[N]`` linear gains, around 1.
    """
    overall = matching_gain(source, converted) ** 2
    if overall == 0 or strength == 0:
        return np.ones_like(source)
    kept = gated(source)
    floor = 10 ** (FLOOR_DB / 10) * float(block_means(source)[kept].mean())
    ratio = (smoothed(source, SMOOTHING_S) + floor) / (
        overall * smoothed(converted, SMOOTHING_S) + floor
    )
    change_db = np.clip(10 * np.log10(ratio), -MOST_DOWN_DB, MOST_UP_DB)
    gains: Powers = 10 ** (strength * change_db / 20)
    return gains
