"""Features to sound, on the decoder with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autovoice.convert import DecoderFeatures
from autovoice.errors import InputError
from autovoice.nn.decoder import KokoroDecoder
from autovoice.types import Speaker
from autovoice.vocode import Vocoder
from autovoice.vocode.high_notes import Reach

VOICE = Speaker(np.zeros(128, np.float32), np.zeros(256, np.float32), 200.0, 100.0, 300.0)


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    torch.manual_seed(0)
    return Vocoder(tensors=KokoroDecoder().state_dict())


def _features(asr: tuple[int, ...], f0: int, energy: int) -> DecoderFeatures:
    rng = np.random.default_rng(0)
    return DecoderFeatures(
        rng.normal(size=asr).astype(np.float32),
        np.full(f0, 150.0, np.float32),
        np.zeros(energy, np.float32),
    )


@pytest.mark.parametrize("frames", [2, 7])
def test_mono_at_24_khz(vocoder: Vocoder, frames: int) -> None:
    audio = vocoder.synthesise(_features((512, frames), 2 * frames, 2 * frames), VOICE)
    assert audio.sample_rate_hz == 24_000
    assert audio.samples.shape == (1, 600 * frames)
    assert np.isfinite(audio.samples).all()


@pytest.mark.parametrize(
    ("asr", "f0", "energy"),
    [
        ((512, 4), 7, 8),
        ((512, 4), 8, 4),
        ((511, 4), 8, 8),
        ((512, 0), 0, 0),
        ((1, 512, 4), 8, 8),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(
    vocoder: Vocoder, asr: tuple[int, ...], f0: int, energy: int
) -> None:
    with pytest.raises(InputError, match=r"expected \[512, T\], \[2 T\], \[2 T\]"):
        vocoder.synthesise(_features(asr, f0, energy), VOICE)


def test_the_seed_decides_the_breath(vocoder: Vocoder) -> None:
    features = _features((512, 3), 6, 6)
    sounds = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        sounds.append(vocoder.synthesise(features, VOICE).samples)
    assert np.array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])


def test_the_style_is_heard(vocoder: Vocoder) -> None:
    features = _features((512, 3), 6, 6)
    other = Speaker(np.ones(128, np.float32), VOICE.embedding, 200.0, 100.0, 300.0)
    sounds = []
    for voice in (VOICE, other):
        torch.manual_seed(0)
        sounds.append(vocoder.synthesise(features, voice).samples)
    assert np.abs(sounds[0] - sounds[1]).max() > 1e-4


def test_a_high_note_is_decoded_an_octave_lower_and_raised(vocoder: Vocoder) -> None:
    low = _features((512, 8), 16, 16)
    low = replace(low, f0_hz=np.full(16, 220.0, np.float32))
    high = replace(low, f0_hz=np.full(16, 440.0, np.float32))
    decoded = vocoder.synthesise(low, VOICE, seed=1).samples[0]
    wanted = Reach(high.f0_hz, np.ones(16, np.int64)).raised(decoded, 24_000)
    assert not np.array_equal(wanted, decoded)
    made = [vocoder.synthesise(high, VOICE, seed=1), vocoder.synthesise(high, VOICE, high, seed=1)]
    made += vocoder.synthesise_many([(high, VOICE, 1)])
    for audio in made:
        np.testing.assert_allclose(audio.samples[0], wanted, rtol=1e-3, atol=1e-4)
    as_written = vocoder.synthesise(replace(high, as_written=True), VOICE, seed=1).samples[0]
    assert not np.allclose(as_written, wanted, rtol=1e-3, atol=1e-4)


def test_arrays_that_are_views_are_taken(vocoder: Vocoder) -> None:
    plain = _features((512, 4), 8, 8)
    views = DecoderFeatures(
        np.asfortranarray(plain.asr), np.repeat(plain.f0_hz, 2)[::2], plain.energy
    )
    torch.manual_seed(0)
    one = vocoder.synthesise(plain, VOICE).samples
    torch.manual_seed(0)
    np.testing.assert_array_equal(vocoder.synthesise(views, VOICE).samples, one)
