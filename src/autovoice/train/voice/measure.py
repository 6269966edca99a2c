"""Measure one recording: level, clipping, noise, band, pitch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from autovoice.types import FloatArray, Pitch

FRAMES_PER_S = 80
# A run of samples at the very top is a flat top: clipped.
_RUN = 3
_TOP = 0.9995
_QUIET_PEAK = 0.05
_LEAST_NOISE_S = 0.25
_NOISELESS_DB = 90.0
_BAND_RANGE_DB = 80.0
_LOWEST_BAND_HZ = 4_000.0


@dataclass(frozen=True)
class Measured:
    """What is measured of one recording.

    Args:
        seconds, active_s: its length, and how long somebody is heard.
        level_dbfs: RMS of what is active.
        clipped: share of the active samples that lie on flat tops.
        snr_db: what is active against the noise in the pauses; None without a pause to hear it in.
        band_hz: up to where there is sound, at most 12,000.
        f0_low_hz, f0_median_hz, f0_high_hz: 5th, 50th and 95th percentile; 0 where unvoiced.
    """

    seconds: float
    active_s: float
    level_dbfs: float
    clipped: float
    snr_db: float | None
    band_hz: float
    f0_low_hz: float
    f0_median_hz: float
    f0_high_hz: float


def measure(
    samples: FloatArray, rate_hz: int, active: NDArray[np.bool_], level_db: FloatArray, pitch: Pitch
) -> Measured:
    """Measure a recording.

    Args:
        samples: ``[T]`` mono.
        rate_hz: its rate.
        active: ``[F]`` at 80 frames/s, where somebody is heard.
        level_db: ``[F]`` dBFS (see ``levels``).
        pitch: its pitch.
    """
    voiced = pitch.f0_hz[pitch.f0_hz > 0]
    low, median, high = np.percentile(voiced, [5, 50, 95]) if len(voiced) else (0.0, 0.0, 0.0)
    loud = level_db[active]
    level = float(10 * np.log10(np.mean(10 ** (loud / 10)))) if len(loud) else -120.0
    flat = per_frame(flat_tops(samples), rate_hz, len(active))
    return Measured(
        seconds=len(samples) / rate_hz,
        active_s=float(active.sum()) / FRAMES_PER_S,
        level_dbfs=level,
        clipped=float(flat[active].mean()) if active.any() else 0.0,
        snr_db=_snr_db(level_db, active, _voiced(pitch, len(active))),
        band_hz=band_hz(samples, rate_hz),
        f0_low_hz=float(low),
        f0_median_hz=float(median),
        f0_high_hz=float(high),
    )


def levels(samples: FloatArray, rate_hz: int, frames: int) -> FloatArray:
    """Measure the level of each 12.5 ms in dBFS, -120 at least, ``[T]`` -> ``[frames]``."""
    power = per_frame(np.square(samples, dtype=np.float64), rate_hz, frames)
    level: FloatArray = (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)
    return level


def per_frame(values: NDArray[np.floating], rate_hz: int, frames: int) -> NDArray[np.float64]:
    """Average what lies in each 12.5 ms, ``[T]`` -> ``[frames]``."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    edges = np.round(np.arange(frames + 1) * rate_hz / FRAMES_PER_S).astype(np.int64)
    edges = np.minimum(edges, len(values))
    return np.diff(total[edges]) / np.maximum(np.diff(edges), 1)


def flat_tops(samples: FloatArray) -> NDArray[np.float64]:
    """Return 1 where three samples and more on end lie at the extreme of the recording, ``[T]``.

    A loud note touches its peak with a sample or two; a converter that ran out of range stays.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < _QUIET_PEAK:
        return np.zeros(len(samples))
    flat = np.zeros(len(samples), np.bool_)
    for top in (samples >= _TOP * samples.max(), samples <= _TOP * samples.min()):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], top.astype(np.int8), [0]))))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if stop - start >= _RUN:
                flat[start:stop] = True
    return flat.astype(np.float64)


def band_hz(samples: FloatArray, rate_hz: int) -> float:
    """Return up to where a recording has sound: 80 dB under its strongest band, 4 to 12 kHz."""
    top = min(12_000.0, 0.95 * rate_hz / 2)
    if len(samples) < 2048:
        return top
    hz, power = signal.welch(samples, rate_hz, nperseg=2048)
    level_db = 10 * np.log10(np.maximum(power, 1e-20))
    heard = hz[level_db > level_db.max() - _BAND_RANGE_DB]
    return float(np.clip(heard.max(initial=0.0), min(_LOWEST_BAND_HZ, top), top))


def _voiced(pitch: Pitch, frames: int) -> NDArray[np.bool_]:
    """Read the voicing at our frames, ``[frames]``."""
    if not len(pitch.f0_hz):
        return np.zeros(frames, np.bool_)
    at_s = (np.arange(frames) + 0.5) / FRAMES_PER_S
    nearest = np.round((at_s - pitch.offset_s) / pitch.hop_s).astype(np.int64)
    found: NDArray[np.bool_] = pitch.f0_hz[np.clip(nearest, 0, len(pitch.f0_hz) - 1)] > 0
    return found


def _snr_db(
    level_db: FloatArray, active: NDArray[np.bool_], voiced: NDArray[np.bool_]
) -> float | None:
    """Compare the loud part of the voice with the quietest tenth of what has no pitch.

    Not with what is inactive: under strong noise nothing seems to be.
    """
    rest = level_db[~voiced]
    if not active.any() or len(rest) < _LEAST_NOISE_S * FRAMES_PER_S:
        return None
    voice = float(np.percentile(level_db[active], 90))
    return min(voice - float(np.percentile(rest, 10)), _NOISELESS_DB)
