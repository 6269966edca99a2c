from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autovoice.mix import limiter, true_peak
from autovoice.mix.limiter import limit
from autovoice.mix.true_peak import block_peaks, largest_gain, loud_block_peaks

RATE_HZ = 24_000


def bursts(seconds: float, channels: int = 1) -> np.ndarray:
    """Noise that is loud for a moment now and then, as speech is."""
    n = np.arange(round(seconds * RATE_HZ))
    level = np.where(n % 9_000 < 700, 0.5, 0.05)
    noise = np.random.default_rng(3).standard_normal((channels, len(n)))
    return (level * noise).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 400),
    channels=st.integers(1, 3),
    block=st.sampled_from([1, 3, 16, 24, 64]),
    level=st.floats(0.05, 2.0),
    seed=st.integers(0, 99),
)
def test_what_lies_over_is_what_every_block_says(
    length: int, channels: int, block: int, level: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).standard_normal((channels, length))
    wave = (level * noise).astype(np.float32)
    expected = block_peaks(wave, block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(true_peak, "_PIECE_BLOCKS", 5)
        found = loud_block_peaks(wave, block, 0.8)
    assert found.shape == expected.shape
    over = (expected > 0.8) | (found > 0)
    np.testing.assert_allclose(found[over], expected[over], rtol=1e-5)


def test_no_point_lies_further_out_than_the_bound() -> None:
    rows = np.sign(true_peak.point_filters(1).T)
    worst = max(float(block_peaks(row[None].astype(np.float32), 1).max()) for row in rows)
    assert 0.98 * largest_gain() < worst <= largest_gain()


def test_a_quiet_sound_needs_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(true_peak, "wave_peaks", None)
    monkeypatch.setattr(true_peak, "_cut", None)
    assert not loud_block_peaks(0.1 * np.sign(bursts(1.0)), 16, 0.8).any()


@pytest.mark.parametrize("channels", [1, 2])
def test_the_limiter_hears_and_turns_down_only_what_is_loud(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    wave = bursts(3.0, channels)
    found = limit(wave, RATE_HZ)
    assert np.abs(found - wave).max() > 0.1
    monkeypatch.setattr(
        limiter, "loud_block_peaks", lambda samples, block, _over: block_peaks(samples, block)
    )
    monkeypatch.setattr(limiter, "_touched", lambda reduction_db: [(0, len(reduction_db))])
    np.testing.assert_allclose(found, limit(wave, RATE_HZ), atol=1e-6)


def test_places_that_are_turned_down_are_found() -> None:
    reduction_db = np.zeros(2_000)
    reduction_db[[0, 1, 700, 900, 1_999]] = 1.0
    assert limiter._touched(reduction_db) == [(0, 3), (699, 902), (1_998, 2_000)]
    assert limiter._touched(np.zeros(5)) == []
