"""Words: error rates on strings, and transcripts of real recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autovoice import io
from autovoice.errors import AutoVoiceError, InputError
from autovoice.eval import Transcriber, Transcript, character_error_rate, words_score
from autovoice.eval.cer import edit_distance, normalised
from autovoice.eval.figure import NotApplicable
from autovoice.eval.words import _windows, error_rate, repeats_itself
from autovoice.types import Audio

EVAL = Path(__file__).parents[3] / "shared" / "eval"


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)],
)
def test_edit_distance_of_known_words(one: str, other: str, edits: int) -> None:
    assert edit_distance(one, other) == edits


def _by_definition(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    replaced = _by_definition(one[1:], other[1:]) + (one[0] != other[0])
    return min(replaced, 1 + min(_by_definition(one[1:], other), _by_definition(one, other[1:])))


@given(one=st.text("ab", max_size=5), other=st.text("abc", max_size=5))
def test_edit_distance_is_the_recursive_definition(one: str, other: str) -> None:
    assert edit_distance(one, other) == _by_definition(one, other)


def test_normalised_keeps_letters_and_numbers_of_any_script() -> None:
    assert normalised("  Hello,  WORLD! ") == "helloworld"
    assert normalised("ＦＵＬＬ width") == "fullwidth"
    assert normalised("你好，世界。") == "你好世界"
    assert normalised("Straße é") == normalised("STRASSE e\u0301")
    assert normalised("♪ - ...") == ""


def test_error_rates() -> None:
    assert character_error_rate("Hello world", "hello, world") == 0.0
    assert character_error_rate("hello wurld", "hello world") == pytest.approx(0.1)
    assert character_error_rate("aaaa", "a") == pytest.approx(3.0)
    assert character_error_rate("", "abcd") == 1.0
    assert character_error_rate("something", "♪") is None


def test_a_source_without_words_has_no_error_rate() -> None:
    assert error_rate("Hello, wurld", "hello world") == pytest.approx(0.1)
    assert error_rate("", "hello") == 1.0
    for wordless in ("", "♪ ♪", "Ooo, oh!", "la la la"):
        with pytest.raises(NotApplicable, match="no words heard in the source"):
            error_rate("anything", wordless)


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("", False),
        ("oh oh oh oh oh oh oh", False),
        ("o" * 60, True),
        ("Start. " + "I'm going to go to the store. " * 6, True),
        ("I'm going to go to the store. " * 4, False),
        ("我们一起走吧" * 8, True),
        ("When is a lobster not a lobster? When it is a crayfish, and so on and on.", False),
    ],
)
def test_endless_loops_are_seen(text: str, loops: bool) -> None:
    assert repeats_itself(text) is loops


def test_windows_are_30_s_and_hold_everything() -> None:
    samples = np.arange(16_000 * 31, dtype=np.float32)
    parts = list(_windows(samples))
    assert [len(part) for part in parts] == [480_000, 480_000]
    np.testing.assert_array_equal(np.concatenate(parts)[: len(samples)], samples)
    assert list(_windows(samples[:0])) == []


class _Parrot(Transcriber):
    """Say what was laid down, and note in which language it was asked."""

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.asked = texts, []

    def transcribe(self, audio: Audio, language: str | None = None) -> Transcript:
        self.asked.append(language)
        return Transcript(self.texts.pop(0), language or "fr")


def test_the_output_is_heard_in_the_language_of_the_source() -> None:
    audio = Audio(np.zeros((1, 10), np.float32), 16_000)
    parrot = _Parrot(["abcdefghij", "abcdefghix"])
    assert words_score(parrot, audio, audio) == pytest.approx(0.1)
    assert parrot.asked == [None, "fr"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(AutoVoiceError, match=r"autovoice\[eval\]"):
        Transcriber()


class _Model:
    """Hear letters in window numbers: the beam decides how many."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, mel: Any) -> int:
        self.encoded += 1
        return self.encoded

    def detect_language(self, heard: int) -> list[list[tuple[str, float]]]:
        return [[("<|it|>", 0.9)]]

    def generate(self, heard: int, prompts: list[list[str]], **options: Any) -> list[Any]:
        assert prompts[0][1] == "<|it|>"
        return [SimpleNamespace(sequences_ids=[[heard] * options["beam_size"]])]


def test_every_beam_shares_one_hearing(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = object.__new__(Transcriber)
    listener._model, listener._view = _Model(), lambda mel: mel
    listener._mel = lambda window: window
    listener._tokens = SimpleNamespace(
        decode=lambda ids: "".join(map(str, ids)),
        token_to_id={"<|it|>": 50_274}.get,
    )
    long = Audio(np.zeros((1, 8_000 * 40), np.float32), 8_000)
    beam, greedy = listener.transcribe_each(long)
    assert (beam.text, greedy.text) == ("11111 22222", "1 2")
    assert beam.language == greedy.language == "it"
    assert listener._model.encoded == 2
    assert listener.transcribe(long, "it", beam=2).text == "33 44"
    assert listener.transcribe(Audio(long.samples[:, :0], 8_000)) == Transcript("", "")
    with pytest.raises(InputError, match="found 'xx', expected a code that Whisper knows"):
        listener.transcribe(long, "xx")


@pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")
def test_speech_is_written_down() -> None:
    audio = io.read(EVAL / "libri_testother_367.flac")
    start = Audio(audio.samples[:, : 6 * audio.sample_rate_hz], audio.sample_rate_hz)
    transcript, greedy = Transcriber(threads=2).transcribe_each(start)
    assert transcript.language == "en"
    wanted = "Lobsters and lobsters. When is a lobster not a lobster? When it is a crayfish."
    error = character_error_rate(transcript.text, wanted)
    assert error is not None
    assert error < 0.1
    assert error_rate(greedy.text, wanted) < 0.2
