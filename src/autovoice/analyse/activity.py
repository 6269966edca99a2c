"""Where somebody sings or speaks, so that silence stays silent and breaths stay."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from autovoice.errors import InputError
from autovoice.types import Curve, FloatArray, Pitch

FRAMES_PER_S = 80
ATTACK_S = 0.02
RELEASE_S = 0.08
# Breaths and consonants belong to the singing that they touch, within this time.
REACH_S = 0.45
# Nothing is heard under this level, nor this far under the loud part of the singing.
GATE_DBFS = -66.0
RANGE_DB = 46.0
# How far a sound must stand out of the steady noise of the recording.
ABOVE_NOISE_DB = 6.0
# Singing this far under the song's own level is the rest that a separator left behind.
BLEED_DB = 32.0
RUMBLE_HZ = 60.0
SHORTEST_VOICED_S = 0.06
SHORTEST_FRAMES = 4


def activity(samples: FloatArray, sample_rate_hz: int, pitch: Pitch) -> Curve:
    """Estimate where somebody is heard.

    Three things together: a level gate between the recording's noise floor and its loud part;
    voiced stretches, which are the anchors; and the sounds within 0.45 s of an anchor (breaths,
    sibilants, ends of words). Sound that touches no anchor, and anchors far below the level of
    the rest, are noise or what a separator left of the instruments, and are muted. The result
    opens over 20 ms before an onset and closes over 80 ms.

    Args:
        samples: ``[T]`` mono, the vocal.
        sample_rate_hz: its rate.
        pitch: its pitch, on any grid.

    Shape: ``[T]`` -> ``[ceil(T * 80 / rate)]`` in [0, 1], frame ``k`` centred at
    ``(k + 0.5) / 80`` s.

    Raises:
        InputError: not mono.
    """
    if samples.ndim != 1:
        raise InputError(
            f"activity: found samples of shape {list(samples.shape)}, expected mono [T]; "
            "mix the channels down first"
        )
    hop_s = 1.0 / FRAMES_PER_S
    frames = -(-len(samples) * FRAMES_PER_S // sample_rate_hz)
    if frames == 0:
        return Curve(np.zeros(0, dtype=np.float32), hop_s, 0.5 * hop_s)
    level_db = _level_db(samples, sample_rate_hz, frames)
    voiced = _voiced(pitch, frames)
    audible = level_db > _threshold_db(level_db, voiced)
    anchors = _anchors(level_db, voiced & audible)
    near = ndimage.binary_dilation(anchors, iterations=round(REACH_S * FRAMES_PER_S))
    # Clicks are no breaths, and a gap of two frames is no gap.
    steady = ndimage.binary_opening(audible, np.ones(SHORTEST_FRAMES, dtype=bool))
    heard = ndimage.binary_closing(np.pad(anchors | (near & steady), 2), np.ones(3, dtype=bool))
    return Curve(_smooth(heard[2:-2]), hop_s, 0.5 * hop_s)


def _level_db(samples: FloatArray, sample_rate_hz: int, frames: int) -> FloatArray:
    """Measure each frame's RMS level over two hops, without rumble under 60 Hz."""
    if sample_rate_hz > 500:
        samples = signal.sosfilt(rumble(sample_rate_hz), samples).astype(np.float32)
    edges = np.arange(frames + 1) * sample_rate_hz / FRAMES_PER_S
    total = np.concatenate(([0.0], np.cumsum(np.square(samples, dtype=np.float64))))
    half = 0.5 * sample_rate_hz / FRAMES_PER_S
    left = np.clip(edges[:-1] - half, 0, len(samples)).astype(np.int64)
    right = np.clip(edges[1:] + half, 0, len(samples)).astype(np.int64)
    power = np.maximum(total[right] - total[left], 0.0) / np.maximum(right - left, 1)
    level: FloatArray = (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)
    return level


@cache
def rumble(sample_rate_hz: int) -> NDArray[np.float64]:
    filters: NDArray[np.float64] = signal.butter(
        2, RUMBLE_HZ, "highpass", fs=sample_rate_hz, output="sos"
    )
    return filters


def _voiced(pitch: Pitch, frames: int) -> NDArray[np.bool_]:
    """Read the voicing at our frames, without the shortest stretches."""
    if pitch.f0_hz.size == 0:
        return np.zeros(frames, dtype=np.bool_)
    time_s = (np.arange(frames) + 0.5) / FRAMES_PER_S
    nearest = np.round((time_s - pitch.offset_s) / pitch.hop_s).astype(np.int64)
    inside = (nearest >= 0) & (nearest < pitch.f0_hz.size)
    voiced = inside & (pitch.f0_hz[np.clip(nearest, 0, pitch.f0_hz.size - 1)] > 0)
    width = round(SHORTEST_VOICED_S * FRAMES_PER_S)
    found: NDArray[np.bool_] = ndimage.binary_opening(voiced, np.ones(width, dtype=bool))
    return found


def _threshold_db(level_db: FloatArray, voiced: NDArray[np.bool_]) -> float:
    sung = level_db[voiced] if voiced.any() else level_db
    loud = float(np.percentile(sung, 90))
    quiet = level_db[~voiced & (level_db > -119.0)]
    # The quietest tenth of what is not sung: breaths and consonants fill the rest.
    noise = float(np.percentile(quiet, 10)) if quiet.size >= FRAMES_PER_S // 4 else -120.0
    # A noisy take must not gate away the voice itself.
    above_noise = min(noise + ABOVE_NOISE_DB, loud - 12.0)
    return max(GATE_DBFS, loud - RANGE_DB, above_noise)


def _anchors(level_db: FloatArray, voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the voiced stretches that are about as loud as the singing is."""
    if not voiced.any():
        return voiced
    loud = float(np.percentile(level_db[voiced], 90))
    labels, count = ndimage.label(voiced)
    peaks = ndimage.maximum(level_db, labels, np.arange(1, count + 1))
    kept = np.concatenate(([False], np.asarray(peaks) > loud - BLEED_DB))
    found: NDArray[np.bool_] = kept[labels]
    return found


def _smooth(heard: NDArray[np.bool_]) -> FloatArray:
    """Open over the attack before each onset, close over the release after each end."""
    time = np.arange(heard.size)
    if not heard.any():
        return np.zeros(heard.size, dtype=np.float32)
    places = np.flatnonzero(heard)
    previous = np.searchsorted(places, time, side="right") - 1
    following = np.minimum(previous + 1, places.size - 1)
    after = np.where(previous >= 0, time - places[np.maximum(previous, 0)], np.inf)
    before = np.where(places[following] >= time, places[following] - time, np.inf)
    before = np.where(heard, 0, before)
    falling = 1.0 - after / (RELEASE_S * FRAMES_PER_S + 1)
    rising = 1.0 - before / (ATTACK_S * FRAMES_PER_S + 1)
    linear = np.clip(np.maximum(falling, rising), 0.0, 1.0)
    curve: FloatArray = (0.5 - 0.5 * np.cos(np.pi * linear)).astype(np.float32)
    return curve
