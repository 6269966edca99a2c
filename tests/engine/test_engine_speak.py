from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from standins import Beeps, CurveVocoder, builders, voice

import autovoice
from autovoice import io
from autovoice.engine import Engine, Progress
from autovoice.engine.progress import Reporter
from autovoice.engine.results import Speech
from autovoice.engine.speaking import Speaking
from autovoice.engine.stages import Stages
from autovoice.errors import Cancelled, InputError, ResourceError, VoiceError
from autovoice.speak.utterance import Utterance

TEXT = "it was a cold morning. nobody spoke. then the wind came"
RATE = 24_000


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine("cpu", data_dir=tmp_path, builders=builders())


def test_a_text_is_spoken(engine: Engine) -> None:
    found = engine.speak(TEXT, voice())
    assert isinstance(found, autovoice.Audio)
    assert (found.channels, found.sample_rate_hz, found.voice) == (1, RATE, "tester")
    assert (found.device, found.sentences, found.notes) == ("cpu", 3, ())
    letters = sum(len(part.strip()) for part in TEXT.split("."))
    assert found.seconds == pytest.approx(letters / 10 + 3 * 0.25, abs=0.05)
    assert {"text", "load", "prosody", "vocode", "join", "total"} <= set(found.timings)
    assert np.abs(found.samples).max() <= 10 ** (-1 / 20)


def test_speech_is_saved(engine: Engine, tmp_path: Path) -> None:
    found = engine.speak("hello", voice())
    for name in ("d.wav", "d.flac", "d.ogg"):
        path = found.save(tmp_path / name)
        assert io.read(path).seconds == pytest.approx(found.seconds, abs=0.05)


def test_the_stream_gives_what_the_call_gives(engine: Engine) -> None:
    pieces = list(engine.speak_stream(TEXT, voice()))
    assert len(pieces) == 3
    whole = engine.speak(TEXT, voice())
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces], 1), whole.samples)


def test_what_was_spoken_before_is_left_out(engine: Engine) -> None:
    pieces = list(engine.speak_stream(TEXT, voice()))
    rest = list(engine.speak_stream(TEXT, voice(), skip=1))
    assert len(rest) == 2
    for left, piece in zip(rest, pieces[1:], strict=True):
        np.testing.assert_array_equal(left.samples, piece.samples)
    assert list(engine.speak_stream(TEXT, voice(), skip=3)) == []


def test_a_sentence_is_heard_before_the_next_is_read(tmp_path: Path) -> None:
    read: list[str] = []
    made: list[str] = []

    class Watched(Beeps):
        def features(self, utterance: Any, speaker: Any, *, speed: float) -> Any:
            made.append(utterance.text)
            return super().features(utterance, speaker, speed=speed)

    def lines() -> Iterator[str]:
        for line in ("one", "two", "three"):
            read.append(line)
            yield line

    engine = Engine("cpu", data_dir=tmp_path, builders=builders(speech=Watched))
    talk = engine.speak_stream(lines(), voice())
    next(talk)
    assert read == made == ["one"]
    assert len(list(talk)) == 2
    assert read == ["one", "two", "three"]
    assert talk.sentences == 3


def test_memory_stays_flat_over_a_book(engine: Engine) -> None:
    lines = itertools.repeat("it was a cold morning")
    talk = engine.speak_stream(lines, voice())
    for _ in range(20):
        next(talk)
    tracemalloc.start()
    try:
        next(talk)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(400):
            next(talk)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200_000  # a single piece is 220 kB


def test_joins_go_through_silence(engine: Engine) -> None:
    for piece in engine.speak_stream(TEXT, voice()):
        assert abs(piece.samples[0, 0]) < 1e-6
        assert not piece.samples[0, -round(0.15 * RATE) :].any()


def test_speed_reaches_the_stage(engine: Engine) -> None:
    usual, fast = (engine.speak("it was a cold morning", voice(), speed=s) for s in (1.0, 2.0))
    assert fast.seconds - 0.25 == pytest.approx((usual.seconds - 0.25) / 2, abs=0.05)


def test_a_seed_gives_the_same(tmp_path: Path) -> None:
    class Noisy(CurveVocoder):
        def synthesise(self, features: Any, speaker: Any, *, seed: int = 0) -> Any:
            import torch

            audio = super().synthesise(features, speaker, seed=seed)
            chance = torch.Generator().manual_seed(seed)
            noise = torch.rand(audio.samples.shape, generator=chance).numpy() * np.float32(0.1)
            return SimpleNamespace(samples=audio.samples + noise)

    engine = Engine(
        "cpu", data_dir=tmp_path, builders=builders(speech_vocoder=lambda device: Noisy())
    )
    one, two, three = (engine.speak(TEXT, voice(), seed=seed).samples for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)


def test_a_trained_voice_speaks_with_the_decoder_it_was_trained_with() -> None:
    used: list[str] = []

    class Named(CurveVocoder):
        def __init__(self, name: str) -> None:
            self.name = name

        def synthesise(self, features: Any, speaker: Any, *, seed: int = 0) -> Any:
            used.append(self.name)
            return super().synthesise(features, speaker, seed=seed)

    made = builders(
        vocoder=lambda device: Named("trained"), speech_vocoder=lambda device: Named("speech")
    )
    plain = voice().speaker
    adapted = replace(plain, adapter={"decoder.x": np.zeros((1, 1), np.float16)})
    for speaker in (plain, adapted):
        speaking = Speaking(Stages("cpu", made), speaker, Reporter(("speak",)))
        speaking.say(Utterance("hello", "hello"))
    assert used == ["speech", "trained"]


def test_the_lexicon_and_the_language_reach_the_text_front(engine: Engine) -> None:
    found = engine.speak("kumo", voice(), lexicon={"kumo": "k" * 30})
    assert found.seconds == pytest.approx(3.25, abs=0.05)
    with pytest.raises(InputError, match="language: found 'xx'"):
        engine.speak("kumo", voice(), language="xx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to say"),
        (" \n\t ", "nothing to say"),
        ("?, ;.", "nothing that can be spoken"),
        ("before\0after", "NUL character at place 6"),
        (b"bytes", "found bytes, expected text"),
        (None, "found NoneType"),
        ([1], "found int among the lines"),
        ("a" * 10_000_001, "found 10000001 characters"),
    ],
)
def test_what_cannot_be_spoken_is_told_at_once(engine: Engine, text: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        engine.speak_stream(text, voice())


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"speed": 0.4}, "speed: found 0.4, expected 0.5 to 2"),
        ({"speed": float("nan")}, "speed: found nan"),
        ({"speed": "fast"}, "speed: found 'fast'"),
        ({"loud": True}, "option 'loud' is unknown; expected one of speed, language, ssml, seed"),
        ({"device": "cpu"}, "belongs to Engine"),
        ({"ssml": 1}, "ssml"),
    ],
)
def test_options_are_checked(engine: Engine, option: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        engine.speak("hello", voice(), **option)


def test_silence_is_never_passed_off_as_speech(engine: Engine) -> None:
    talk = engine.speak_stream(["hello", "!"], voice(), lexicon={"hello": "hello"})
    next(talk)
    with pytest.raises(InputError, match=r"'!' gave no sound"):
        next(talk)


def test_an_unknown_voice_is_told(engine: Engine) -> None:
    with pytest.raises(VoiceError, match="no such voice"):
        engine.speak("hello", "nobody")


def test_progress_and_cancel(engine: Engine) -> None:
    heard: list[Progress] = []
    talk = engine.speak_stream(TEXT, voice(), progress=heard.append)
    for _ in talk:
        pass
    fractions = [report.overall for report in heard]
    assert fractions == sorted(fractions)
    assert (heard[0].stage, fractions[0], fractions[-1]) == ("speak", 0.0, 1.0)
    assert heard[2].seconds_left is not None
    with pytest.raises(Cancelled):
        engine.speak(TEXT, voice(), cancel=lambda: True)


def test_the_engine_is_free_between_pieces(engine: Engine) -> None:
    talk = engine.speak_stream(TEXT, voice())
    next(talk)
    other = engine.speak("hello", voice())
    assert other.seconds > 0
    assert len(list(talk)) == 2


def test_a_full_gpu_hands_over_to_the_cpu() -> None:
    stages = Stages("cuda:0", builders(speech=lambda device: Beeps(device, full="cuda")))
    speaking = Speaking(stages, voice().speaker, Reporter(("speak",)))
    assert speaking.say(Utterance("hello", "hello")).seconds > 0
    assert stages.device == "cpu"
    assert speaking.notes == ["cuda:0 ran out of memory: went on on the CPU"]
    full = Stages("cpu", builders(speech=lambda device: Beeps(device, full="c")))
    with pytest.raises(ResourceError, match="out of memory"):
        Speaking(full, voice().speaker, Reporter(("speak",))).say(Utterance("hello", "hello"))


def test_the_public_function(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Fake:
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments)

        def speak(self, *arguments: Any, **options: Any) -> Any:
            made.append((arguments, options))
            return Speech(np.zeros((1, 5), np.float32), RATE)

    monkeypatch.setattr("autovoice.engine.Engine", Fake)
    found = autovoice.speak("hello", "kumo", device="cpu", speed=1.2)
    assert isinstance(found, Speech)
    assert made == [("cpu", None), (("hello", "kumo"), {"speed": 1.2})]
