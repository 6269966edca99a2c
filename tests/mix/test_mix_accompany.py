from __future__ import annotations

import numpy as np
import pytest

from autovoice.errors import InputError
from autovoice.mix.accompany import accompany
from autovoice.mix.loudness import integrated_lufs
from autovoice.types import Audio


def tone(seconds: float, rate: int, hz: float, level: float, channels: int = 1) -> Audio:
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)
    return Audio(np.tile(wave.astype(np.float32), (channels, 1)), rate)


def test_the_vocal_is_as_loud_as_the_backing() -> None:
    backing = tone(4, 44_100, 200, 0.1, 2)
    mixed = accompany(tone(3, 24_000, 1_000, 0.02), backing)
    assert (mixed.sample_rate_hz, mixed.samples.shape) == (44_100, (2, 4 * 44_100))
    vocal = mixed.samples - backing.samples
    inside = slice(4_410, 2 * 44_100)
    found = integrated_lufs(vocal[:, inside], 44_100)
    assert found == pytest.approx(integrated_lufs(backing.samples, 44_100), abs=0.3)
    louder = accompany(tone(3, 24_000, 1_000, 0.02), backing, vocal_gain_db=6)
    np.testing.assert_allclose(
        louder.samples[:, inside] - backing.samples[:, inside], vocal[:, inside] * 1.9953, atol=2e-3
    )


def test_the_longer_of_the_two_ends_the_mix() -> None:
    mixed = accompany(tone(3, 24_000, 500, 0.1), tone(1, 24_000, 200, 0.1))
    assert mixed.length_samples == 3 * 24_000
    assert np.abs(mixed.samples[:, -24_000:]).max() > 0.01


def test_no_peak_goes_over_the_ceiling() -> None:
    mixed = accompany(tone(2, 24_000, 500, 0.9), tone(2, 24_000, 200, 0.9))
    assert np.abs(mixed.samples).max() <= 10 ** (-1 / 20)


def test_silence_is_mixed_as_it_is() -> None:
    vocal = tone(1, 24_000, 500, 0.1)
    silent = Audio(np.zeros((1, 24_000), np.float32), 24_000)
    np.testing.assert_allclose(accompany(vocal, silent).samples, vocal.samples, atol=1e-6)
    np.testing.assert_allclose(accompany(silent, vocal).samples, vocal.samples, atol=1e-6)


def test_a_gain_out_of_range() -> None:
    with pytest.raises(InputError, match="vocal_gain_db: found 99"):
        accompany(tone(1, 24_000, 500, 0.1), tone(1, 24_000, 500, 0.1), vocal_gain_db=99)
