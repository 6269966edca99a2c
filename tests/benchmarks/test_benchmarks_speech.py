from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice.engine.results import Speech
from benchmarks import speech, spoken


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
