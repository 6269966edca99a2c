from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from standins import Carrier, builders, encoders, voice

from autovoice import io, weights
from autovoice.analyse.content import ContentEncoder
from autovoice.convert import Converter
from autovoice.engine import Builders, Engine
from autovoice.engine.resident_piece import PieceSinger, singer_of
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.engine.stages import Stages
from autovoice.types import Analysis, Audio, Curve, Pitch
from autovoice.vocode import Vocoder

pytestmark = pytest.mark.e2e
SECONDS = 0.4


@pytest.fixture(scope="module")
def parts() -> tuple[ContentEncoder, Converter, Vocoder]:
    return ContentEncoder(), Converter(), Vocoder()


def material() -> tuple[np.ndarray, Pitch, Curve, np.ndarray]:
    """Return a vowel at 16 kHz, its pitch and energy, and a factor for each sample at 24 kHz."""
    time_s = np.arange(round(16_000 * SECONDS)) / 16_000
    vowel = sum(np.sin(2 * np.pi * 210 * k * time_s) / k for k in range(1, 20)) * 0.1
    pitch = Pitch(np.full(51, 210, np.float32), np.ones(51, np.float32), 0.008)
    factors = np.linspace(0, 1, round(24_000 * SECONDS), dtype=np.float32)
    return vowel.astype(np.float32), pitch, Curve(np.full(32, -1, np.float32), 0.0125), factors


def test_a_piece_is_sung_as_by_three_stages(
    parts: tuple[ContentEncoder, Converter, Vocoder],
) -> None:
    at_16k, pitch, energy, factors = material()
    encoder, converter, vocoder = parts
    speaker = voice().speaker
    analysis = Analysis(pitch, encoder.encode(at_16k), energy, energy, SECONDS)
    features = converter.convert(analysis, speaker, semitones=2)
    wanted = vocoder.synthesise(features, speaker, seed=3).samples[0] * factors
    singer = singer_of(*parts)
    assert singer is not None
    assert singer.fits(at_16k)
    found = singer.sing(at_16k, (pitch, energy), factors, speaker, semitones=2, seed=3)
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_piece_longer_than_the_recognisers_window_does_not_fit(
    parts: tuple[ContentEncoder, Converter, Vocoder],
) -> None:
    singer = PieceSinger(*parts)
    assert singer.fits(np.zeros(20 * 16_000, np.float32))
    assert not singer.fits(np.zeros(20 * 16_000 + 1, np.float32))


def test_stages_it_does_not_know_have_no_singer() -> None:
    assert singer_of(object(), object(), object()) is None


def test_on_the_cpu_there_is_none_of_it() -> None:
    resident = Stages("cpu").resident
    stages = (resident.hearing, resident.singer, resident.carry, resident.mixer, resident.live)
    assert stages == (None,) * 5


@pytest.mark.parametrize("semitones", [0, 12])
def test_a_song_is_that_of_the_plain_stages(tmp_path: Path, semitones: int) -> None:
    whole = io.read(weights.file("demo-song", "audio_example.mp3"))
    cut = slice(2 * whole.sample_rate_hz, 4 * whole.sample_rate_hz)
    demo = Audio(np.ascontiguousarray(whole.samples[:, cut]), whole.sample_rate_hz)
    made = []
    for everywhere in (False, True):
        real = Builders(
            converter=lambda device: Carrier(),
            vocoder=builders().vocoder,
            encoders=encoders,
            resident=ResidentBuilders(everywhere=everywhere),
        )
        engine = Engine("cpu", data_dir=tmp_path, builders=real)
        made.append(engine.convert(demo, voice(), separate=False, semitones=semitones))
    plain, resident = made
    assert {"pitch", "loudness"} <= plain.timings.keys()
    assert "hear" in resident.timings.keys() - {"pitch", "loudness"}
    assert ("carry" in resident.timings) == (semitones == 0)
    wanted = plain.audio.samples.astype(np.float64)
    apart = np.mean((resident.audio.samples - wanted) ** 2) / np.mean(wanted**2)
    assert 10 * np.log10(apart) < -70
