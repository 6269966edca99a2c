from __future__ import annotations

import math

import numpy as np
import pytest

from autovoice.mix import loudness
from autovoice.mix.dynamics import following_gain, matching_gain
from autovoice.mix.loudness import integrated_lufs, weighted_powers


def tone(hz: float, level_db: float, seconds: float, rate_hz: int, channels: int = 1) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * time_s)
    return np.repeat(wave[None].astype(np.float32), channels, axis=0)


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000, 96000])
def test_the_standards_tone(rate_hz: int) -> None:
    # BS.1770: 997 Hz at full scale in one channel reads -3.01 LKFS.
    assert integrated_lufs(tone(997, 0, 3, rate_hz), rate_hz) == pytest.approx(-3.01, abs=0.06)


def test_ebu_case_1() -> None:
    # EBU Tech 3341: 1 kHz at -23 dBFS in two channels reads -23.0 LUFS.
    assert integrated_lufs(tone(1000, -23, 5, 48000, 2), 48000) == pytest.approx(-23, abs=0.1)


def test_ebu_case_3_gates_the_quiet_parts() -> None:
    parts = [tone(1000, db, s, 48000, 2) for db, s in ((-36, 5), (-23, 30), (-36, 5))]
    assert integrated_lufs(np.concatenate(parts, axis=1), 48000) == pytest.approx(-23, abs=0.1)


def test_low_notes_and_high_notes_weigh_as_the_standard_says() -> None:
    def relative(hz: float) -> float:
        return integrated_lufs(tone(hz, -20, 3, 48000), 48000) + 23.01

    assert relative(10_000) == pytest.approx(3.3, abs=0.2)
    assert relative(38) == pytest.approx(-6.7, abs=0.5)


def test_silence_and_short_sounds() -> None:
    assert integrated_lufs(np.zeros((2, 9000), np.float32), 44100) == -math.inf
    assert integrated_lufs(np.zeros((2, 0), np.float32), 44100) == -math.inf
    assert integrated_lufs(tone(997, 0, 0.2, 48000), 48000) == pytest.approx(-3.0, abs=0.3)


def test_powers_do_not_depend_on_where_the_reading_pauses() -> None:
    sound = np.random.default_rng(0).standard_normal((1, 48000 * 20)).astype(np.float32)
    whole = weighted_powers(sound, 48000)
    head = weighted_powers(sound[:, : 48000 * 9], 48000)
    np.testing.assert_allclose(whole[:, :90], head, rtol=1e-9)


def test_a_very_low_rate_is_measured_unweighted() -> None:
    powers = weighted_powers(np.full((1, 100), 0.5, np.float32), 100)
    np.testing.assert_allclose(powers, 0.25)


def test_matching_ignores_pauses_and_bleed() -> None:
    source = np.array([1.0] * 20 + [1e-4] * 60)
    converted = np.array([0.25] * 20 + [0.0] * 60)
    # The blocks that straddle the end of the phrase count alike on both sides.
    assert matching_gain(source, converted) == pytest.approx(2.0, rel=1e-3)


def test_matching_of_silence_is_silence() -> None:
    assert matching_gain(np.zeros(9), np.ones(9)) == 0.0
    assert matching_gain(np.ones(9), np.zeros(9)) == 0.0
    assert following_gain(np.zeros(9), np.ones(9), 1.0).tolist() == [1.0] * 9


def test_matching_is_bounded() -> None:
    assert matching_gain(np.ones(9), np.full(9, 1e-9)) == pytest.approx(100)


def test_following_takes_phrases_within_its_limits() -> None:
    source = np.repeat([1.0, 0.25, 1e-9, 1.0], 50)
    flat = np.full(200, 0.01)
    gains_db = 20 * np.log10(following_gain(source, flat, 1.0))
    assert gains_db[25] - gains_db[75] == pytest.approx(6.02, abs=0.1)
    assert gains_db[125] == pytest.approx(-9.0, abs=0.01)
    half_db = 20 * np.log10(following_gain(source, flat, 0.5))
    np.testing.assert_allclose(half_db, gains_db / 2, atol=1e-9)
    assert set(following_gain(source, flat, 0.0)) == {1.0}


@pytest.mark.parametrize("seconds", [0.03, 1.0, 45.23])
def test_transforms_measure_what_the_recursion_measures(seconds: float) -> None:
    chance = np.random.default_rng(4)
    noise = chance.normal(size=(2, round(seconds * 44_100))).astype(np.float32)
    # A hum under the weighting's corner, and quiet stretches beside loud ones.
    noise += np.sin(np.arange(noise.shape[1]) * 0.004, dtype=np.float32)
    noise[:, noise.shape[1] // 2 :] *= 0.001
    expected = weighted_powers(noise, 44_100)
    found = loudness.transformed_powers(noise, 44_100, "cpu")
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3)
