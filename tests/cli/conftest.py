"""Stand-in judges and recordings for the tests of score cards on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from autovoice import io
from autovoice.eval.scorer import Scorer

sys.path.append(str(Path(__file__).parents[1] / "eval"))
from judge_standins import Judging, silence, sung


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, bool]]:
    """Put stand-ins for the judges; return what scorers were made: device, words."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AUTOVOICE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    calls: list[tuple[str, bool]] = []

    def make(device: str, *, words: bool = True) -> Scorer:
        calls.append((device, words))
        return Scorer(cache=None, words=words, builders=Judging().builders())

    monkeypatch.setattr("autovoice.cli.cards.make_scorer", make)
    return calls


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    sounds = {
        "out": sung(110),
        "src": sung(220),
        "ref": sung(110, seed=2),
        "short": sung(110, seconds=2.0),
        "silent": silence(),
    }
    return {name: io.write(audio, tmp_path / f"{name}.wav") for name, audio in sounds.items()}
