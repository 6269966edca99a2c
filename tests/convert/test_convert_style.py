"""A voice's timbre vector is a weighted mean over pieces of its recording."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice.convert import StyleEncoder
from autovoice.errors import InputError
from autovoice.nn.style_encoder import StyleEncoder as Network
from autovoice.types import FloatArray

RATE = 24_000


@pytest.fixture(scope="module")
def encoder() -> StyleEncoder:
    torch.manual_seed(0)
    return StyleEncoder(tensors=Network().state_dict())


@pytest.fixture(scope="module")
def embedding() -> FloatArray:
    vector = np.random.default_rng(0).normal(size=256)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _voice(f0_hz: float, seconds: float) -> FloatArray:
    at_s = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * f0_hz * k * at_s) / k for k in range(1, 20))
    return (0.05 * sound).astype(np.float32)


def _gap(one: FloatArray, other: FloatArray) -> float:
    return float(np.abs(one - other).max())


def test_a_short_recording_is_one_piece(encoder: StyleEncoder, embedding: FloatArray) -> None:
    style = encoder.encode(_voice(150, 1.0), embedding)
    assert style.shape == (128,)
    assert style.dtype == np.float32
    assert np.isfinite(style).all()


def test_pieces_are_averaged(encoder: StyleEncoder, embedding: FloatArray) -> None:
    low, high = _voice(120, 3.0), _voice(240, 3.0)
    one, other = encoder.encode(low, embedding), encoder.encode(high, embedding)
    both = encoder.encode(np.concatenate([low, high]), embedding)
    assert _gap(one, other) > 1e-3
    # Both are voiced throughout, so they weigh the same.
    np.testing.assert_allclose(both, (one + other) / 2, atol=0.1 * _gap(one, other))


def test_a_silent_piece_weighs_nothing(encoder: StyleEncoder, embedding: FloatArray) -> None:
    low = _voice(120, 3.0)
    hush = np.random.default_rng(1).normal(0, 1e-6, 3 * RATE).astype(np.float32)
    alone = encoder.encode(low, embedding)
    followed = encoder.encode(np.concatenate([low, hush, hush]), embedding)
    other = encoder.encode(_voice(240, 3.0), embedding)
    assert _gap(alone, followed) < 0.1 * _gap(alone, other)


def test_half_a_piece_of_voice_weighs_half(encoder: StyleEncoder, embedding: FloatArray) -> None:
    low, high = _voice(120, 3.0), _voice(240, 3.0)
    high[RATE * 3 // 2 :] = 0
    one, other = encoder.encode(low, embedding), encoder.encode(high, embedding)
    both = encoder.encode(np.concatenate([low, high]), embedding)
    np.testing.assert_allclose(both, (2 * one + other) / 3, atol=0.1 * _gap(one, other))


def test_the_embedding_is_heard(encoder: StyleEncoder, embedding: FloatArray) -> None:
    voice = _voice(150, 1.0)
    assert _gap(encoder.encode(voice, embedding), encoder.encode(voice, -embedding)) > 1e-3


def test_silence_gives_numbers(encoder: StyleEncoder, embedding: FloatArray) -> None:
    assert np.isfinite(encoder.encode(np.zeros(4 * RATE, np.float32), embedding)).all()


@pytest.mark.parametrize("shape", [(1_199,), (0,), (1, 24_000), (2, 24_000)])
def test_too_short_or_not_mono_is_refused(
    encoder: StyleEncoder, embedding: FloatArray, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match=r"expected mono \[T\], 50 ms"):
        encoder.encode(np.zeros(shape, np.float32), embedding)


def test_the_programs_own_encoder_is_steady_and_tells_voices_apart() -> None:
    encoder = StyleEncoder()
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(2, 256)).astype(np.float32)
    first, second = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    one = encoder.encode(_voice(110, 2.0), first)
    again = encoder.encode(_voice(110, 2.0), first)
    other = encoder.encode(_voice(250, 2.0), second)
    assert np.array_equal(one, again)
    assert _gap(one, other) > 0.05
