from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from autovoice.mix import curves, limiter, true_peak
from autovoice.mix.limiter import limit
from autovoice.mix.true_peak import block_peaks

CEILING = 10 ** (-1 / 20)
RATE_HZ = 44100


def other_true_peak(samples: np.ndarray) -> float:
    """Measure with another filter than the limiter's own."""
    if samples.shape[1] == 0:
        return 0.0
    return float(np.abs(signal.resample_poly(samples.astype(np.float64), 4, 1, axis=1)).max())


def waves() -> dict[str, np.ndarray]:
    n = np.arange(RATE_HZ)
    rng = np.random.default_rng(0)
    low_pass = signal.butter(6, 18000, fs=RATE_HZ, output="sos")
    return {
        "between samples": np.sin(np.pi / 2 * n + np.pi / 4)[None],
        "hot sine": 4 * np.sin(2 * np.pi * 100 * n / RATE_HZ)[None],
        "square": np.sign(np.sin(0.3 * n))[None],
        "impulse": 30 * np.eye(1, RATE_HZ, 100),
        "last sample": 3 * np.eye(1, RATE_HZ, RATE_HZ - 1),
        "first sample": 3 * np.eye(1, RATE_HZ, 0),
        "noise": 2 * signal.sosfilt(low_pass, rng.standard_normal((2, RATE_HZ)), axis=1),
        "bits": signal.sosfilt(low_pass, np.sign(rng.standard_normal((1, RATE_HZ))), axis=1),
        "bursts": np.where(n % 4410 < 20, 10.0, 0.1)[None] * np.sin(0.9 * n),
        "huge": 1e38 * np.sin(0.1 * n)[None],
    }


@pytest.mark.parametrize("name", sorted(waves()))
def test_never_over_the_ceiling(name: str) -> None:
    wave = waves()[name].astype(np.float32)
    limited = limit(wave, RATE_HZ)
    assert limited.shape == wave.shape
    assert limited.dtype == np.float32
    assert np.all(np.isfinite(limited))
    assert other_true_peak(limited) <= CEILING


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(0, 3000),
    channels=st.integers(1, 8),
    level=st.floats(0.1, 100),
    ceiling_dbtp=st.floats(-12, 0),
    seed=st.integers(0, 99),
)
def test_any_length_and_level(
    length: int, channels: int, level: float, ceiling_dbtp: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).standard_normal((channels, length + 8))
    smooth = signal.lfilter([0.25] * 4, [1], noise, axis=1)[:, 8:]
    wave = (level * smooth).astype(np.float32)
    limited = limit(wave, RATE_HZ, ceiling_dbtp=ceiling_dbtp)
    assert limited.shape == wave.shape
    assert other_true_peak(limited) <= 10 ** (ceiling_dbtp / 20)


def test_quiet_sound_is_not_touched() -> None:
    wave = (0.89 * np.hanning(5000) * np.sin(0.05 * np.arange(5000)))[None].astype(np.float32)
    assert limit(wave, RATE_HZ) is wave


def test_one_gain_for_all_channels() -> None:
    burst = np.where(np.arange(RATE_HZ) // 8000 == 2, 3.0, 0.3)
    left = burst * np.sin(0.05 * np.arange(RATE_HZ))
    limited = limit(np.stack([left, 0.1 * left]).astype(np.float32), RATE_HZ)
    np.testing.assert_allclose(limited[1], 0.1 * limited[0], atol=1e-6)


def test_gain_is_smooth_and_comes_back() -> None:
    wave = np.full((1, 2 * RATE_HZ), 0.1, np.float32)
    wave[0, RATE_HZ // 2] = 2.0
    gain_db = 20 * np.log10(limit(wave, RATE_HZ)[0] / wave[0])
    assert np.abs(np.diff(gain_db)).max() < 0.2
    assert gain_db[RATE_HZ // 2] < -6
    assert gain_db[RATE_HZ // 2 - RATE_HZ // 50] == 0
    assert gain_db[RATE_HZ] == 0


def test_result_does_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = waves()["noise"].astype(np.float32)
    whole = limit(wave, RATE_HZ)
    monkeypatch.setattr(true_peak, "_PIECE_SAMPLES", 1 << 10)
    monkeypatch.setattr(curves, "_PIECE_SAMPLES", 1 << 10)
    np.testing.assert_allclose(limit(wave, RATE_HZ), whole, atol=1e-5)


def test_true_peak_finds_the_wave_between_samples() -> None:
    # A sine at a quarter of the rate, sampled at 45 degrees: samples 0.707, wave 1.0.
    wave = np.sin(np.pi / 2 * np.arange(4000) + np.pi / 4)[None].astype(np.float32)
    assert np.abs(wave).max() == pytest.approx(0.707, abs=1e-3)
    assert np.median(block_peaks(wave, 16)) == pytest.approx(1.0, abs=2e-3)


def test_a_point_between_blocks_counts_for_both() -> None:
    wave = np.zeros((1, 64), np.float32)
    wave[0, 31:33] = 1.0
    peaks = block_peaks(wave, 32)
    assert peaks[0] == peaks[1] > 1.2


def test_last_resort_scales_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "PASSES", 0)
    wave = waves()["hot sine"].astype(np.float32)
    limited = limit(wave, RATE_HZ)
    np.testing.assert_allclose(limited / limited.max(), wave / wave.max(), atol=1e-5)
    assert other_true_peak(limited) <= CEILING


def test_empty_sound_has_no_peak() -> None:
    assert true_peak.true_peak(np.zeros((2, 0), np.float32)) == 0.0
    assert true_peak.true_peak(np.array([[0.0, 0.5]], np.float32)) >= 0.5
