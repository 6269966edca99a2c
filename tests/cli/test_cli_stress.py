"""``autovoice eval --stress``, with a stand-in for the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "eval"))
from card_desk import run
from protocol_standins import folder, read

from autovoice import io, weights
from autovoice.cli import stress as command
from autovoice.errors import InputError, VoiceError
from autovoice.eval.stress import cutters
from autovoice.eval.stress.score import Note, perform
from autovoice.types import Audio

ONLY = ("--only", "staccato", "--only", "breaths")


class Engine:
    """Give everything back at a gain."""

    device = "cpu"

    def __init__(self, gain: float = 1.0, fails: str = "") -> None:
        self.gain, self.fails = np.float32(gain), fails
        self.shifts: list[int] = []

    def voice(self, word: str) -> Any:
        if word == "nobody":
            raise VoiceError("nobody: found no such voice")
        return SimpleNamespace(name=word)

    def convert(self, song: Audio, voice: Any, *, separate: bool, semitones: int) -> Any:
        assert not separate
        self.shifts.append(semitones)
        if self.fails:
            raise ValueError(self.fails)
        return SimpleNamespace(audio=Audio(song.samples * self.gain, song.sample_rate_hz))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(weights, "status", lambda name: SimpleNamespace(state="ready"))
    monkeypatch.setattr(command, "make_engine", lambda device: made)
    return made


def test_a_run_prints_tables_and_writes_json_and_page(
    capfd: pytest.CaptureFixture[str], engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, err = run(capfd, "eval", "--stress", "--voice", "kumo", *ONLY, "--report", out)
    assert code == 0
    assert engine.shifts == [0, 0]
    assert {path.name for path in out.iterdir()} == {"stress.json", "stress.html"}
    lines = said.splitlines()
    assert lines[0].startswith("high notes")
    assert ">700, dB" in lines[0]
    assert any(line.startswith("staccato ") and "1.000" in line for line in lines)
    assert any(line.startswith("mean error") for line in lines)
    assert "worst places" in lines
    assert "2 of 2 places done, 0 failed" in lines
    assert err.splitlines() == ["1/2 staccato: 0.0 of 10", "2/2 breaths: 0.0 of 10"]
    found = json.loads((out / "stress.json").read_text(encoding="utf-8"))
    assert found["settings"]["voice"] == "kumo"
    assert found["about"]["command"] == (
        "autovoice eval --stress --voice kumo --only 'staccato' --only 'breaths'"
    )
    assert str(tmp_path) not in json.dumps(found)


def test_json_is_one_object_and_runs_are_compared(
    capfd: pytest.CaptureFixture[str], engine: Engine, tmp_path: Path
) -> None:
    words = ("eval", "--stress", "--voice", "kumo", *ONLY)
    assert run(capfd, *words, "--report", tmp_path / "old")[0] == 0
    engine.gain = np.float32(0.1)
    code, said, _ = run(capfd, *words, "--compare", tmp_path / "old", "--json")
    assert code == 0
    found = json.loads(said)
    assert "report" not in found
    assert found["comparison"]["matched"] == 2
    code, said, _ = run(capfd, *words, "--compare", tmp_path / "old" / "stress.json")
    assert "worse: staccato: notes kept from 400 to 700 Hz +0.0 dB -> -20.0 dB" in said


def test_places_are_cut_out_of_a_folder_too(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(cutters.io, "read", read)
    place = folder(tmp_path / "eval")
    for name, pitch_hz in (("ann_acap", 220.0), ("bob_acap", 440.0)):
        io.write(perform((Note(0.2, 1.8, pitch_hz),), 2.0), place / f"{name}.wav")
    words = ("eval", "--stress", "--voice", "kumo", "--protocol", place, "--only", "high/*")
    code, said, err = run(capfd, *words, "--semitones", "-12", "--json")
    assert code == 0, err
    found = json.loads(said)
    assert [row["name"] for row in found["places"]] == ["high/bob_acap", "high/ann_acap"]
    assert found["settings"] == {
        "voice": "kumo", "semitones": -12, "folder": "eval", "only": ["high/*"],
    }  # fmt: skip
    assert engine.shifts == [-12, -12]


def test_a_failed_place_ends_with_1(capfd: pytest.CaptureFixture[str], engine: Engine) -> None:
    engine.fails = "it cracked"
    code, said, err = run(capfd, "eval", "--stress", "--voice", "kumo", "--only", "staccato")
    assert code == command.FAILED
    assert "0 of 1 places done, 1 failed" in said
    assert "1/1 staccato: failed: ValueError: it cracked" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stress",), "--stress needs --voice"),
        (("--voice", "kumo"), "--voice: for the stress set; add --stress"),
        (("--stress", "--voice", "kumo", "--gate"), "--gate: not for --stress"),
        (("--stress", "--voice", "kumo", "--pairs", "quick"), "--pairs: not for --stress"),
        (("out.wav", "--stress", "--voice", "kumo"), "OUT: not for --stress"),
        (("--stress", "--voice", "kumo", "--semitones", "0.5"), "found 0.5, expected a whole"),
        (("--stress", "--voice", "kumo", "--only", "x*"), "'x*' fits no place; there are scale"),
        (("--stress", "--voice", "kumo", "--compare", "none.json"), "found no results"),
        (("--stress", "--voice", "nobody"), "found no such voice"),
    ],
)
def test_bad_requests_cost_no_work(
    capfd: pytest.CaptureFixture[str], engine: Engine, words: tuple[str, ...], message: str
) -> None:
    code, _, err = run(capfd, "eval", *words)
    assert code == 2
    assert message in " ".join(err.split())
    assert engine.shifts == []


def test_the_engine_is_the_projects_own() -> None:
    assert type(command.make_engine("cpu")).__name__ == "Engine"
    with pytest.raises(InputError):
        command.chosen_places((), ("nothing",))
