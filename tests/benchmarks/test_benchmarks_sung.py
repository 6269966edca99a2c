"""The figures of singing on sounds whose errors are known, and rows that outlive a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.kept import KeptRows

from autovoice.engine import Performance
from autovoice.speak.score import Note
from autovoice.speak.sung.phrases import Phrase, Sung
from autovoice.speak.sung.syllables import Syllable
from benchmarks import sung

RATE_HZ = 24_000


def test_pitch_is_judged_in_the_bodies_of_notes_alone() -> None:
    notes = [Note(0.0, 1.0, 69), Note(1.0, 2.0, 71)]
    f0_hz = np.full(200, 440.0)
    f0_hz[100:] = 440.0 * 2 ** (2.6 / 12)  # 60 cents above the second note
    f0_hz[:12] = f0_hz[85:100] = 880.0  # its glides do not count
    f0_hz[50:60] = 0.0
    cents, voiced = sung.pitch_errors(f0_hz, notes, 0.0)
    assert np.median(cents[:60]) == pytest.approx(0.0, abs=1e-9)
    assert np.allclose(cents[-60:], 60.0)
    assert voiced == pytest.approx(1 - 10 / 146, abs=0.01)
    assert np.mean(cents < 50) == pytest.approx(63 / 136, abs=0.02)
    shifted, _ = sung.pitch_errors(f0_hz / 2, notes, -12.0)
    assert np.allclose(shifted, cents)


@pytest.mark.parametrize("late_s", [-0.05, 0.0, 0.08])
def test_an_onset_is_found_where_the_vowel_begins(late_s: float) -> None:
    times_s = np.arange(3 * RATE_HZ) / RATE_HZ
    vowel = np.sin(2 * np.pi * 220 * times_s) * ((times_s > 1 + late_s) & (times_s < 2.9))
    audio = Performance(vowel[None].astype(np.float32), RATE_HZ)
    sounds = Syllable("t", "ˈa")
    phrase = Phrase("ta", (Sung(sounds, (Note(1.0, 2.9, 57),), True),))
    (error_s,) = sung.onset_errors(audio, [phrase])
    assert error_s == pytest.approx(late_s, abs=0.01)
    voiced = Phrase("la", (Sung(Syllable("l", "ˈa"), (Note(1.0, 2.9, 57),), True),))
    assert list(sung.onset_errors(audio, [voiced])) == [0.0]


def test_words_are_written_down_phrase_by_phrase() -> None:
    heard: list[float] = []

    class Ears:
        def transcripts(self, sound: Any, language: str) -> Any:
            heard.append(round(sound.audio.seconds, 2))
            text = f"{language}{len(heard)}"
            return (type("T", (), {"text": text})(), None)

    def phrase(begin_s: float, end_s: float) -> Phrase:
        return Phrase("", (Sung(Syllable("", "a"), (Note(begin_s, end_s, 60),), True),))

    done = Performance(np.zeros((1, 4 * RATE_HZ), np.float32), RATE_HZ)
    phrases = [phrase(0.0, 1.5), phrase(2.0, 4.0)]
    assert sung.transcript(Ears(), done, phrases, "fr") == "fr1 fr2"  # type: ignore[arg-type]
    assert heard == [2.75, 3.25]  # half a second of silence at both ends


def test_a_run_that_was_cut_off_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []
    most = [7]

    def judge(engine: Any, judges: Any, voice: Any, tune: str, language: str) -> dict[str, float]:
        if len(asked) == most[0]:
            raise RuntimeError("cut off")
        asked.append((Path(voice).stem, tune))
        return {"CER": 0.1 * len(asked), "semitones": -12.0}

    monkeypatch.setattr(sung, "judge", judge)
    monkeypatch.setattr(sung, "Engine", lambda device: None)
    monkeypatch.setattr(sung, "Judges", lambda *words: None)
    with pytest.raises(RuntimeError, match="cut off"):
        sung.sung(tmp_path, tmp_path / "out")
    before, most[0] = list(asked), 15
    section = sung.sung(tmp_path, tmp_path / "out", resume=True)
    assert len(before) == 7
    assert len(asked) == len(set(asked)) == 15
    assert len(section.raw) == 15
    assert "| ravdess_actor22, amazing grace | 0.100 | -12 |" in section.body
    assert "| **mean** |" in section.body


def test_rows_of_other_settings_are_not_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    kept = KeptRows(path, {"device": "cpu"})
    kept.row("a", lambda: {"x": 1.0})
    kept.row("b", lambda: {"x": 2.0})
    assert list(json.loads(path.read_text(encoding="utf-8"))["rows"]) == ["a", "b"]
    again = KeptRows(path, {"device": "cpu"}, resume=True)
    assert again.row("a", lambda: {"x": 9.0}) == {"x": 1.0}
    assert len(again.commits) == 1
    with pytest.raises(SystemExit, match="without --resume"):
        KeptRows(path, {"device": "cuda"}, resume=True)
    assert KeptRows(path, {"device": "cuda"}).rows == {}
    assert not list(tmp_path.glob("*.part"))
