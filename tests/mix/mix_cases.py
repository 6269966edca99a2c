"""Songs to be mixed, and how far two results are apart."""

from __future__ import annotations

import numpy as np

from autovoice.mix import MixOptions
from autovoice.types import Audio, Stems

RATE_HZ = 44_100
MOST_DB = -120.0


def phrases(seconds: float, rate_hz: int, f0_hz: float, level: float) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = sum(np.sin(2 * np.pi * f0_hz * k * time_s + k * k) / k for k in range(1, 40))
    return (level * wave * (time_s % 0.8 < 0.6)).astype(np.float32)


def case(
    length: int, gains: tuple[float, ...] = (0.6, 0.3), backing: float = 0.05, new: float = 0.1
) -> tuple[Audio, Stems]:
    seconds = length / RATE_HZ
    vocal = np.outer(gains, phrases(seconds, RATE_HZ, 220.0, 0.2))[:, :length].astype(np.float32)
    noise = np.random.default_rng(length).standard_normal(vocal.shape).astype(np.float32)
    stems = Stems(Audio(vocal, RATE_HZ), Audio(backing * noise, RATE_HZ, {"title": "song"}))
    return Audio(phrases(seconds + 0.1, 24_000, 330.0, new)[None], 24_000), stems


def difference_db(found: Audio, wanted: Audio) -> float:
    assert found.samples.shape == wanted.samples.shape
    power = np.mean(wanted.samples.astype(np.float64) ** 2)
    apart = np.mean((found.samples - wanted.samples).astype(np.float64) ** 2)
    return 10 * np.log10((apart + 1e-32) / (power + 1e-18))


CASES = {
    "plain": (case(2 * RATE_HZ), None),
    "no whole step": (case(71_003), None),
    "very short": (case(9_001), None),
    "one side": (case(RATE_HZ, gains=(0.8, 0.0)), None),
    "mono": (case(RATE_HZ, gains=(0.8,)), None),
    "four channels": (case(RATE_HZ, gains=(0.8, 0.1, 0.2, 0.4)), None),
    "limited": (case(2 * RATE_HZ, backing=0.4), MixOptions(vocal_gain_db=12, ceiling_dbtp=-3)),
    "dynamics kept": (case(RATE_HZ), MixOptions(follow_dynamics=0.0)),
    "silent source": (case(RATE_HZ, gains=(0.0, 0.0)), None),
    "silent voice": (case(RATE_HZ, new=0.0), None),
}
