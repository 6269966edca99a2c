from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autovoice.analyse import loudness
from autovoice.analyse.loudness import ACTIVE_RMS, at_level, decoder_energy, level_gain
from autovoice.errors import InputError
from autovoice.nn.mel24k import log_norm, mel24k


def _noise(length: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(3).standard_normal(length).astype(np.float32)


def test_energy_is_the_log_norm_of_the_mel() -> None:
    samples = _noise(24_000)
    curve = decoder_energy(samples)
    expected = log_norm(mel24k(torch.from_numpy(samples)[None]))[0]
    assert curve.hop_s == 1 / 80
    assert curve.offset_s == 0.0
    np.testing.assert_allclose(curve.values, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("length", [0, 10, 299, 300, 5000, 30_300])
def test_chunked_equals_whole(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decoder_energy(_noise(length))
    monkeypatch.setattr(loudness, "_CHUNK_FRAMES", 7)
    cut = decoder_energy(_noise(length))
    assert whole.values.shape == (length // 300,)
    np.testing.assert_allclose(cut.values, whole.values, atol=1e-5)


def test_silence_is_finite_and_low() -> None:
    curve = decoder_energy(np.zeros(24_000, dtype=np.float32))
    expected = math.log(1e-5 * math.sqrt(80))
    np.testing.assert_allclose(curve.values, expected, atol=1e-4)


def test_stereo_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="mono"):
        decoder_energy(np.zeros((2, 100), dtype=np.float32))


@pytest.mark.parametrize("gain", [0.1, 4.0])
def test_a_shifted_curve_is_that_of_the_amplified_sound(gain: float) -> None:
    samples = _noise(24_000)
    shifted = at_level(decoder_energy(samples), gain)
    amplified = decoder_energy(np.float32(gain) * samples)
    np.testing.assert_allclose(shifted.values, amplified.values, atol=0.01)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_the_active_part_comes_to_the_level_of_the_model(rate_hz: int) -> None:
    """Pauses do not count: half of the recording is 60 dB quieter."""
    samples = _noise(2 * rate_hz)
    samples[rate_hz:] *= 1e-3
    gained = level_gain(samples, rate_hz) * samples[:rate_hz]
    assert np.sqrt(np.mean(gained**2)) == pytest.approx(ACTIVE_RMS, rel=1e-3)


def test_silence_is_not_amplified_and_whispers_only_so_far() -> None:
    assert level_gain(np.zeros(24_000, np.float32), 24_000) == 1.0
    assert level_gain(np.zeros(10, np.float32), 24_000) == 1.0
    assert level_gain(1e-4 * _noise(24_000), 24_000) == 30.0
