"""The band above the model's: against noises and tones whose levels are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from autovoice.mix import air
from autovoice.mix.air import with_air
from autovoice.types import FloatArray

RATE_HZ = 44_100


def _noise(seconds: float, low_hz: float, high_hz: float, seed: int = 1) -> FloatArray:
    chance = np.random.default_rng(seed)
    white = chance.standard_normal(round(seconds * RATE_HZ))
    sos = signal.butter(10, [low_hz, high_hz], "bandpass", fs=RATE_HZ, output="sos")
    return (0.1 * signal.sosfiltfilt(sos, white)).astype(np.float32)


def _level_db(sound: FloatArray, low_hz: float, high_hz: float) -> float:
    hz, power = signal.welch(sound, RATE_HZ, nperseg=2_048)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean() + 1e-20))


@pytest.mark.parametrize("change_db", [-12.0, 0.0, 2.0])
def test_the_air_is_as_loud_as_the_voice_is_below(change_db: float) -> None:
    source = _noise(2.0, 200, 20_000)
    converted = 10 ** (change_db / 20) * _noise(2.0, 200, 12_000, seed=2)
    made = with_air(converted.astype(np.float32), source, RATE_HZ)
    wanted = _level_db(source, 13_000, 19_000) + change_db
    assert _level_db(made, 13_000, 19_000) == pytest.approx(wanted, abs=1.0)
    assert _level_db(converted, 13_000, 19_000) < wanted - 20
    assert _level_db(made, 1_000, 10_000) == pytest.approx(
        _level_db(converted, 1_000, 10_000), abs=0.2
    )


def test_it_never_gets_more_than_3_db_louder() -> None:
    source = _noise(1.0, 200, 20_000)
    made = with_air(10 * _noise(1.0, 200, 12_000, seed=2), source, RATE_HZ)
    gained = _level_db(made, 13_000, 19_000) - _level_db(source, 13_000, 19_000)
    assert gained == pytest.approx(3.0, abs=0.5)


def test_a_silent_conversion_stays_silent_and_a_dull_source_gives_nothing() -> None:
    source = _noise(1.0, 200, 20_000)
    silent = np.zeros_like(source)
    assert np.abs(with_air(silent, source, RATE_HZ)).max() < 1e-6
    dull = _noise(1.0, 200, 8_000)
    made = with_air(source, dull, RATE_HZ)
    assert _level_db(made, 14_000, 19_000) < _level_db(source, 14_000, 19_000) - 30


def test_a_pause_has_no_air() -> None:
    source = _noise(1.0, 200, 20_000)
    converted = _noise(1.0, 200, 12_000, seed=2)
    converted[20_000:30_000] = 0
    made = with_air(converted, source, RATE_HZ)
    assert np.abs(made[22_000:28_000]).max() < 1e-4


def test_pieces_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    source, converted = _noise(2.0, 200, 20_000), _noise(2.0, 200, 12_000, seed=2)
    whole = with_air(converted, source, RATE_HZ)
    monkeypatch.setattr(air, "_PIECE_STEPS", 7)
    pieces = with_air(converted, source, RATE_HZ)
    assert 20 * np.log10(np.abs(whole - pieces).max() / np.abs(whole).max() + 1e-12) < -60


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_low_rates_are_left_alone(rate_hz: int) -> None:
    sound = _noise(0.1, 200, 10_000)
    assert with_air(sound, 2 * sound, rate_hz) is sound


@pytest.mark.parametrize("samples", [0, 1, 100, 441, 1_000])
def test_any_length_comes_back(samples: int) -> None:
    sound = _noise(0.1, 200, 20_000)[:samples]
    assert with_air(sound, sound, RATE_HZ).shape == (samples,)
