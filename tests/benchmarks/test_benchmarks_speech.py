from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice.engine.results import Speech
from benchmarks import speech, speech_device, spoken


def test_the_sentences_are_fifty_and_have_phonemes() -> None:
    found = spoken.sentences()
    assert len({utterance.text for utterance in found}) == 50
    assert all(10 < len(utterance.phonemes) < 100 for utterance in found)
    (first,) = spoken.front(found[0].text, language="en-us", lexicon=None, ssml=None)
    assert first == found[0]


def test_every_voice_has_a_row_and_the_means(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    class Fake:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            pass

        def speak(self, lines: list[str], voice: Any) -> Speech:
            said.extend(lines)
            timings = {"total": 3.0, "load": 1.0}
            return Speech(np.zeros((1, 24_000 * 4), np.float32), 24_000, timings=timings)

        def voice(self, name: Any) -> Any:
            return SimpleNamespace(embedding=np.ones(256, np.float32))

        def text_card(self, audio: Any, text: str, reference: Any) -> Any:
            figures = {"cer": 0.02, "similarity_target": 0.8, "distillmos": 4.1}
            return SimpleNamespace(value=figures.get, words=None)

    monkeypatch.setattr(spoken, "Engine", Fake)
    monkeypatch.setattr(spoken, "Scorer", Fake)
    monkeypatch.setattr("autovoice.io.read", lambda path: None)
    section = spoken.spoken(tmp_path)
    assert len(section.raw["voices"]) == len(spoken.BUILTIN) + len(spoken.CLONED)
    assert "| **cloned, mean** | 0.020 | 0.800 | 4.100 | - | 0.500 |" in section.body
    assert len(said) == 20 * 14
    assert len(set(said)) == 50


def test_ratios_are_of_medians() -> None:
    assert speech._median([(1.0, 2.0, 2.0), (3.0, 2.0, 2.0), (2.0, 9.0, 2.0)], 0) == 1.0
    assert speech._against({"AutoVoice": 0.3, "ONNX Runtime": 0.2}, "x")[0][1:] == (
        "1.50", "<= 1.00", "**no**",
    )  # fmt: skip


def test_passes_are_counted_from_where_they_were() -> None:
    assert speech_device._since({1: 900, 4: 2}, {1: 903, 4: 2, 57: 1}) == {1: 3, 57: 1}


def test_the_goals_are_of_the_most_that_was_held() -> None:
    found = {
        "first": {"p50_ms": 33.0},
        "second": {"networks": {"p50_ms": 7.0}, "call": {"p50_ms": 15.0}},
        "batch": {"networks": {"times_real_time": 1_600}, "calls": {"times_real_time": 318}},
        "memory": {
            name: {"peak_reserved_bytes": most}
            for name, most in (("loaded", 500), ("first", 900), ("one_at_a_time", 800),
                               ("batch", 3_000_000_000))
        },
    }  # fmt: skip
    goals = speech_device._goals(found)
    assert {name: goal["reached"] for name, goal in goals.items()} == {
        "first_p50_ms": True,
        "second_ms": True,
        "second_call_ms": False,
        "batch_times_real_time": True,
        "calls_times_real_time": False,
        "memory_bytes": True,
        "memory_batch_bytes": False,
    }
    assert goals["memory_bytes"]["measured"] == 900
    found["memory"] = {}
    assert "memory_bytes" not in speech_device._goals(found)
