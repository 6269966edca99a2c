"""The score summary: known answers, measures that do not apply, the part of a long song."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.eval import cut, length_error_samples, most_active_part, score
from autovoice.eval.similarity import cosine
from autovoice.types import Audio, FloatArray

RATE = 16_000
EVAL = Path(__file__).parents[3] / "shared" / "eval"


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder()


def _voice(f0_hz: float, seconds: float = 3.0) -> Audio:
    time_s = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * f0_hz * time_s + 2 * np.sin(2 * np.pi * 0.7 * time_s)
    sound = sum(np.sin(phase * k) / k for k in range(1, 12))
    return Audio((0.1 * sound).astype(np.float32)[None], RATE)


def _silence(seconds: float = 3.0) -> Audio:
    return Audio(np.zeros((1, int(seconds * RATE)), np.float32), RATE)


def test_doing_nothing_reads_the_floor(encoder: SpeakerEncoder) -> None:
    source, reference = _voice(200), _voice(110)
    card = score(source, source, reference, 0, encoder=encoder)
    assert card.pitch_error_cents == pytest.approx(0, abs=1e-6)
    assert card.pitch_within_50_cents == 1.0
    assert card.similarity_source == pytest.approx(1.0, abs=1e-5)
    assert card.similarity_target == card.similarity_floor
    assert (card.length_error_samples, card.semitones) == (0, 0)


def test_becoming_the_reference_reads_one(encoder: SpeakerEncoder) -> None:
    source, reference = _voice(220), _voice(110)
    card = score(reference, source, reference, -12, encoder=encoder)
    assert card.similarity_target == pytest.approx(1.0, abs=1e-5)
    assert card.similarity_source == card.similarity_floor
    assert card.similarity_floor is not None
    assert card.similarity_floor < 0.99
    assert card.semitones == -12


def test_an_embedding_serves_as_reference(encoder: SpeakerEncoder) -> None:
    reference: FloatArray = encoder.embed(_voice(110).mono(), RATE)
    by_vector = score(_voice(220), _voice(220), reference, 0, encoder=encoder)
    by_audio = score(_voice(220), _voice(220), _voice(110), 0, encoder=encoder)
    assert by_vector.similarity_target == pytest.approx(by_audio.similarity_target)


def test_silence_has_no_pitch_and_no_voice() -> None:
    card = score(_silence(), _silence(), _voice(110), 0)
    assert card.pitch_error_cents is None
    assert card.pitch_within_50_cents is None
    assert card.similarity_target is None
    assert card.similarity_floor is None
    assert card.length_error_samples == 0


def test_lengths() -> None:
    one, other = _silence(1.0), _silence(1.5)
    assert length_error_samples(other, one) == RATE // 2
    upsampled = Audio(np.zeros((2, 48_000), np.float32), 48_000)
    assert length_error_samples(upsampled, one) == 0


def test_cosine_of_nothing_is_none() -> None:
    unit = np.ones(3, np.float32)
    assert cosine(None, unit) is None
    assert cosine(unit, np.zeros(3, np.float32)) is None
    assert cosine(unit, -2 * unit) == pytest.approx(-1.0)


def test_the_most_active_part_of_a_long_song_is_judged() -> None:
    samples = np.zeros((1, 30 * RATE), np.float32)
    samples[0, 12 * RATE : 17 * RATE] = 0.1
    song = Audio(samples, RATE)
    start_s, end_s = most_active_part(song, 5.0)
    assert (start_s, end_s) == pytest.approx((12.0, 17.0), abs=0.11)
    assert cut(song, start_s, end_s).seconds == pytest.approx(5.0)
    assert most_active_part(song, 30.0) == (0.0, 30.0)


@pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")
def test_a_little_sound_in_much_silence_is_found() -> None:
    rate_hz = 8_000
    samples = np.zeros((1, 300 * rate_hz), np.float32)
    samples[:, 200 * rate_hz : 208 * rate_hz] = 0.1
    start_s, end_s = most_active_part(Audio(samples, rate_hz), 10.0)
    assert start_s <= 200.0
    assert end_s >= 208.0


@pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")
def test_real_singing_is_itself_and_not_another(encoder: SpeakerEncoder) -> None:
    song, other = io.read(EVAL / "vocadito_1_acap.flac"), io.read(EVAL / "libri_testother_367.flac")
    song, other = cut(song, 2.0, 7.0), cut(other, 0.0, 8.0)
    card = score(song, song, other, 0, encoder=encoder)
    assert card.pitch_error_cents == pytest.approx(0, abs=1e-6)
    assert card.similarity_target is not None
    assert card.similarity_target < 0.8
