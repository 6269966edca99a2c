"""Real singing into unseen voices: the timbre moves, melody and words stay, silence is silent."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autovoice import Conversion, Engine, io
from autovoice.eval.summary import score
from autovoice.types import Audio, ScoreCard

pytestmark = pytest.mark.e2e
Find = Callable[[str], Path]
Cut = Callable[[Audio, float, float], Audio]


@pytest.fixture(scope="module")
def singing(evaluation: Find, cut: Cut) -> Audio:
    """Return a line of a song, sung alone by a woman: "When I was young ..."."""
    return cut(io.read(evaluation("gtsinger_en_alto2_acap")), 10, 18)


@pytest.fixture(scope="module")
def conversion(engine: Engine, singing: Audio, evaluation: Find) -> Conversion:
    """Convert it, unseparated, into the voice of a man who was never trained on."""
    voice = engine.voice(evaluation("libri_testother_2414"))
    found = engine.convert(singing, voice, separate=False)
    return found.scored_by(score, voice.embedding)


@pytest.fixture(scope="module")
def card(conversion: Conversion) -> ScoreCard:
    assert conversion.score is not None
    return conversion.score


def measured(value: float | None) -> float:
    assert value is not None
    return value


def test_the_output_is_whole(conversion: Conversion, singing: Audio) -> None:
    samples = conversion.audio.samples
    assert samples.shape == singing.samples.shape
    assert np.isfinite(samples).all()
    assert 0.01 < np.abs(samples).max() <= 1
    assert not conversion.stems.backing.samples.any()
    np.testing.assert_array_equal(conversion.stems.vocals.samples, singing.samples)


def test_the_timbre_moves_to_the_target(card: ScoreCard) -> None:
    assert measured(card.similarity_target) > measured(card.similarity_floor) + 0.03
    assert measured(card.similarity_source) < 0.85  # the singer herself reads 1


def test_the_melody_is_kept_an_octave_down(card: ScoreCard) -> None:
    assert card.semitones == -12
    assert card.length_error_samples == 0
    assert measured(card.pitch_error_cents) < 20
    assert measured(card.pitch_within_50_cents) > 0.9


@pytest.mark.skipif(
    importlib.util.find_spec("ctranslate2") is None, reason="needs the eval extra (ctranslate2)"
)
def test_the_words_are_kept(conversion: Conversion, singing: Audio) -> None:
    from autovoice.eval import Transcriber, character_error_rate

    transcriber = Transcriber()
    wanted = transcriber.transcribe(singing, "en").text
    assert "young" in wanted.lower()  # the judge hears the words of the source at all
    heard = transcriber.transcribe(conversion.audio, "en").text
    assert measured(character_error_rate(heard, wanted)) < 0.3


def test_silence_stays_silent(engine: Engine) -> None:
    silence = Audio(np.zeros((2, 3 * 44_100), np.float32), 44_100)
    found = engine.convert(silence, "kumo")
    assert found.audio.samples.shape == silence.samples.shape
    assert np.abs(found.audio.samples).max() < 1e-4  # -80 dB
    assert found.semitones == 0


def test_a_pause_in_a_song_stays_silent(engine: Engine, demo_song: Audio, cut: Cut) -> None:
    """Two seconds of a song, two of nothing: a voice must not go on, and nobody may hiss."""
    song = cut(demo_song, 3, 5)
    still = np.zeros_like(song.samples)
    padded = Audio(np.concatenate([song.samples, still], axis=1), song.sample_rate_hz)
    found = engine.convert(padded, "kumo")
    assert found.audio.samples.shape == padded.samples.shape
    late = found.audio.samples[:, -song.sample_rate_hz :]
    assert np.abs(late).max() < 10 ** (-60 / 20)


@pytest.mark.parametrize("semitones", [-5, 7])
def test_a_shift_of_the_melody_is_that_of_the_output(
    engine: Engine, demo_song: Audio, cut: Cut, semitones: int
) -> None:
    """Judged by another pitch tracker than the one that the engine follows."""
    from autovoice.eval.dio import dio
    from autovoice.eval.pitch import pitch_score

    vocal = engine.convert(cut(demo_song, 4, 8), "alpha", semitones=semitones)
    assert vocal.semitones == semitones
    found = pitch_score(vocal.stems.converted, vocal.stems.vocals, semitones, tracker=dio)
    assert found is not None
    assert found.median_cents < 50
