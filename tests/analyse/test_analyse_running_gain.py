"""The level of a voice as it is heard, against that of the whole recording."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.analyse.loudness import level_gain
from autovoice.analyse.running_gain import RunningGain


def test_a_steady_voice_has_the_gain_of_the_whole() -> None:
    noise = (0.03 * np.random.default_rng(0).standard_normal(24_000 * 4)).astype(np.float32)
    running = RunningGain(24_000)
    for at in range(0, len(noise), 1_000):
        gain = running.push(noise[at : at + 1_000])
    assert gain == pytest.approx(level_gain(noise, 24_000), rel=0.02)


def test_pauses_do_not_count() -> None:
    running = RunningGain(24_000)
    voice = np.full(24_000, 0.06, np.float32)
    before = running.push(voice)
    assert running.push(np.zeros(240_000, np.float32)) == before == pytest.approx(1.0)


def test_it_follows_within_seconds() -> None:
    running = RunningGain(24_000)
    running.push(np.full(24_000 * 10, 0.06, np.float32))
    assert running.push(np.full(24_000 * 30, 0.12, np.float32)) == pytest.approx(0.5, rel=0.05)


def test_noise_before_the_voice_is_forgotten() -> None:
    running = RunningGain(24_000)
    assert running.push(np.full(24_000 * 5, 1e-4, np.float32)) == 30
    assert running.push(np.full(24_000, 0.12, np.float32)) == pytest.approx(0.5, rel=0.02)


def test_silence_has_gain_one() -> None:
    assert RunningGain(24_000).push(np.zeros(48_000, np.float32)) == 1
