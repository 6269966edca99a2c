"""What ``autovoice convert`` says of the song's range, with stand-ins for engine and score."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autovoice import io
from autovoice.engine import Engine
from autovoice.types import Audio, ScoreCard

sys.path.append(str(Path(__file__).parents[1] / "engine"))
from card_desk import run, strict
from standins import builders, song, voice

CARD = ScoreCard(4.5, 0.97, 0.8, 0.6, 0.5, 0, 12)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put stand-ins; return a folder with a song of 1 s, a silent one, and a voice."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))

    def make(device: str, vram: str | None) -> Engine:
        return Engine(device, vram, builders=builders())

    monkeypatch.setattr("autovoice.cli.convert.make_engine", make)
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    judge = SimpleNamespace(score=lambda *arguments: CARD)
    monkeypatch.setitem(sys.modules, "autovoice.eval.summary", judge)  # type: ignore[arg-type]
    io.write(song(1.0), tmp_path / "song.wav")
    io.write(Audio(np.zeros((1, 8_000), np.float32), 8_000), tmp_path / "silent.wav")
    voice().save(tmp_path / "tester.voice")
    return tmp_path


def words(desk: Path, *songs: str) -> list[object]:
    paths = [desk / name for name in songs]
    return ["convert", *paths, "--voice", desk / "tester.voice", "-o", f"{desk}/covers/"]


def test_people_hear_how_the_song_fits_beside_the_result(
    capfd: pytest.CaptureFixture[str], desk: Path
) -> None:
    code, out, err = run(capfd, *words(desk, "song.wav"))
    assert code == 0
    fits, better = err.splitlines()
    assert fits.startswith("note: the song lies at ")
    assert "after a shift of +12; 100 % of it lies above the voice's comfortable range" in fits
    assert fits.endswith("(B2 to F4): 0:00-0:01 (up to E♭5)")
    assert better == "note: --semitones -12 would leave nothing outside"
    assert "the song lies" not in out


def test_in_a_batch_each_remark_names_its_song(
    capfd: pytest.CaptureFixture[str], desk: Path
) -> None:
    _, _, err = run(capfd, *words(desk, "song.wav", "silent.wav"))
    assert f"note: {desk / 'song.wav'}: the song lies at " in err
    assert f"note: {desk / 'silent.wav'}: the song's range was not compared" in err


def test_programs_get_an_object_and_no_remarks(
    capfd: pytest.CaptureFixture[str], desk: Path
) -> None:
    code, out, err = run(capfd, *words(desk, "song.wav"), "--json")
    assert (code, err) == (0, "")
    found = strict(out)["range"]
    assert (found["semitones"], found["voice"]["low_note"], found["why_not"]) == (12, "B2", "")
    assert found["song"]["high_hz"] > found["voice"]["high_hz"]
    assert found["share_outside"] == found["share_above"] == 1.0
    (span,) = found["spans"]
    assert (span["side"], span["note"], span["beyond_semitones"]) == ("above", "E♭5", 10)
    assert 0.0 <= span["start_s"] < span["end_s"] <= 1.1
    better = {"semitones": -12, "share_outside": 0.0, "backing_semitones": 0}
    assert found["suggestion"] == {"auto": better, "octave": better, "key": better}


def test_a_silent_song_has_no_range(capfd: pytest.CaptureFixture[str], desk: Path) -> None:
    said = run(capfd, *words(desk, "silent.wav"))[2]
    assert "not compared with the voice's: no pitch was found in the song" in said
    found = strict(run(capfd, *words(desk, "silent.wav"), "--json")[1])["range"]
    assert (found["song"], found["share_outside"], found["spans"]) == (None, None, [])
    assert found["suggestion"] == {"auto": None, "octave": None, "key": None}
    assert found["why_not"] == "no pitch was found in the song"
