"""Who judges a voice: with the ``eval`` extra, and without it."""

from __future__ import annotations

import numpy as np
import pytest
from voice_standins import ANNA, BERTA, embed, sing

from autovoice.errors import AutoVoiceError, InputError
from autovoice.eval.words import Transcript
from autovoice.train.voice import judge
from autovoice.train.voice.judge import Ears
from autovoice.types import Audio, FloatArray


class Encoder:
    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def embed(self, samples: FloatArray, rate_hz: int) -> FloatArray:
        if not samples.any():
            raise InputError("speaker: found nothing but silence, expected a voice")
        return embed(samples, rate_hz)


class Listener:
    def __init__(self, *, threads: int = 0) -> None:
        self.asked: list[str | None] = []

    def transcribe(self, audio: Audio, language: str | None, *, beam: int) -> Transcript:
        self.asked.append(language)
        return Transcript("la luna", "es")


class Taste:
    def __init__(self, device: str) -> None:
        pass

    def score(self, audio: Audio) -> float:
        return 3.5


@pytest.fixture
def _extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "Resemblyzer", Encoder)
    monkeypatch.setattr(judge, "SpeakerEncoder", Encoder)
    monkeypatch.setattr(judge.judging, "Transcriber", Listener)
    monkeypatch.setattr(judge, "DistillMos", Taste)


@pytest.mark.usefixtures("_extra")
def test_with_the_extra_voice_words_and_opinion_are_heard() -> None:
    ears = Ears("cpu")
    assert (ears.name, ears.notes) == ("resemblyzer", [])
    one, other = ears.voice(sing(1.0, ANNA)), ears.voice(sing(1.0, BERTA))
    assert one is not None
    assert other is not None
    assert float(one @ other) < 0.8
    assert ears.voice(np.zeros(24_000, np.float32)) is None
    assert [ears.words(sing(1.0)), ears.words(sing(1.0))] == ["la luna", "la luna"]
    assert ears._listener is not None
    assert ears._listener.asked == [None, "es"]  # type: ignore[attr-defined]
    assert ears.opinion(sing(1.0)) == 3.5


@pytest.mark.usefixtures("_extra")
def test_without_the_extra_the_own_encoder_judges_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(device: str) -> None:
        raise AutoVoiceError("found no webrtcvad; run `pip install 'autovoice[eval]'`")

    monkeypatch.setattr(judge, "Resemblyzer", missing)
    ears = Ears("cpu")
    assert ears.name == "ge2e"
    assert "autovoice[eval]" in ears.notes[0]
    assert ears.voice(sing(1.0)) is not None
    assert ears.words(sing(1.0)) is None
    assert ears.opinion(sing(1.0)) is None
