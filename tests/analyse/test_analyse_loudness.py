from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autovoice.analyse import loudness
from autovoice.analyse.loudness import decoder_energy
from autovoice.errors import InputError
from autovoice.nn.mel24k import log_norm, mel24k


def _noise(length: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(3).standard_normal(length).astype(np.float32)


def test_energy_is_the_line_through_the_log_norm() -> None:
    samples = _noise(24_000)
    curve = decoder_energy(samples)
    expected = 0.976 * log_norm(mel24k(torch.from_numpy(samples)[None]))[0] + 0.42
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
    expected = 0.976 * math.log(1e-5 * math.sqrt(80)) + 0.42
    np.testing.assert_allclose(curve.values, expected, atol=1e-4)


def test_stereo_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="mono"):
        decoder_energy(np.zeros((2, 100), dtype=np.float32))
