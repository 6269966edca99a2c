"""Words: error rates on strings, and transcripts of real recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autovoice import io
from autovoice.errors import AutoVoiceError
from autovoice.eval import Transcriber, Transcript, character_error_rate, words_score
from autovoice.eval.cer import edit_distance, normalised
from autovoice.eval.words import _windows
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


@pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")
def test_speech_is_written_down() -> None:
    audio = io.read(EVAL / "libri_testother_367.flac")
    start = Audio(audio.samples[:, : 6 * audio.sample_rate_hz], audio.sample_rate_hz)
    transcript = Transcriber(threads=2).transcribe(start)
    assert transcript.language == "en"
    wanted = "Lobsters and lobsters. When is a lobster not a lobster? When it is a crayfish."
    error = character_error_rate(transcript.text, wanted)
    assert error is not None
    assert error < 0.1
