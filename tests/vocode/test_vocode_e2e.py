"""A pitch that is imposed on real words is the pitch that comes out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from autovoice import io, weights
from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.loudness import decoder_energy, level_gain
from autovoice.analyse.pitch import SwiftF0Tracker
from autovoice.convert import Converter, DecoderFeatures
from autovoice.types import Analysis, Curve, FloatArray, Pitch, Speaker
from autovoice.vocode import Vocoder

pytestmark = pytest.mark.e2e
SECONDS = 2.5


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    voices = load_file(weights.bundled("builtin-voices.safetensors"))
    median, low, high = (float(value) for value in voices["alpha.f0_hz"])
    return Speaker(voices["alpha.style"], voices["alpha.embedding"], median, low, high)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Hear 2.5 s of the demo song, as it is, and say that all of it is voiced at 220 Hz."""
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    rate = song.sample_rate_hz
    cut = song.samples.mean(axis=0, dtype=np.float32)[None, 2 * rate : int((2 + SECONDS) * rate)]
    sound = io.resample(cut, rate, 24_000)[0]
    sound = sound * np.float32(level_gain(sound, 24_000))
    f0_hz = np.full(round(SECONDS * 80), 220.0, np.float32)
    return Analysis(
        Pitch(f0_hz, np.ones_like(f0_hz), 1 / 80, 0.5 / 80),
        ContentEncoder().encode(io.resample(sound[None], 24_000, 16_000)[0]),
        decoder_energy(sound),
        Curve(np.ones_like(f0_hz), 1 / 80),
        SECONDS,
    )


@pytest.fixture(scope="module")
def features(analysis: Analysis, speaker: Speaker) -> dict[int, DecoderFeatures]:
    converter = Converter()
    return {
        semitones: converter.convert(analysis, speaker, semitones=semitones)
        for semitones in (0, 12)
    }


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return Vocoder()


@pytest.fixture(scope="module")
def sung(
    vocoder: Vocoder, features: dict[int, DecoderFeatures], speaker: Speaker
) -> dict[int, FloatArray]:
    torch.manual_seed(0)
    return {
        semitones: vocoder.synthesise(piece, speaker).samples[0]
        for semitones, piece in features.items()
    }


def _cents_off(sound: FloatArray, wanted_hz: float) -> FloatArray:
    """Read the pitch back: distance to the imposed one in each voiced frame."""
    assert np.isfinite(sound).all()
    assert len(sound) == round(SECONDS * 24_000)
    read = SwiftF0Tracker().track(io.resample(sound[None], 24_000, 16_000)[0]).f0_hz
    voiced = read[read > 0]
    assert len(voiced) > 0.5 * len(read)
    cents: FloatArray = np.abs(1200 * np.log2(voiced / wanted_hz))
    return cents


@pytest.mark.parametrize(("semitones", "wanted_hz"), [(0, 220.0), (12, 440.0)])
def test_the_imposed_pitch_is_sung(
    sung: dict[int, FloatArray], semitones: int, wanted_hz: float
) -> None:
    cents = _cents_off(sung[semitones], wanted_hz)
    assert float(np.median(cents)) < 20
    # An octave aside, no other tone is sung.
    folded = np.abs((cents + 600) % 1200 - 600)
    assert float((folded < 50).mean()) > 0.9


@pytest.mark.parametrize(
    ("semitones", "wanted_hz"),
    [
        (0, 220.0),
        (12, 440.0),
    ],
)
def test_the_imposed_pitch_is_sung_in_its_octave(
    sung: dict[int, FloatArray], semitones: int, wanted_hz: float
) -> None:
    cents = _cents_off(sung[semitones], wanted_hz)
    assert float((cents < 50).mean()) > 0.9


def test_loudness_follows_the_source(sung: dict[int, FloatArray], analysis: Analysis) -> None:
    made = decoder_energy(sung[0]).values
    wanted = analysis.energy.values[: len(made)]
    # The source's energy holds its instruments too: far from 1, but not by chance.
    assert float(np.corrcoef(made[: len(wanted)], wanted)[0, 1]) > 0.2
    assert 0.005 < float(np.sqrt(np.mean(np.square(sung[0])))) < 0.3
