from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autovoice import io
from autovoice.cli.main import main
from autovoice.engine import Engine
from autovoice.types import Audio

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from choir import choir, tune
from standins import voice


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Put stand-ins where the command line builds its engine."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        "autovoice.cli.sing.make_engine",
        lambda device, vram: Engine(device, vram, builders=choir()),
    )
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))


@pytest.fixture
def voice_file(tmp_path: Path) -> str:
    return str(voice().save(tmp_path / "tester.voice"))


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command line in this process and return exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in ("sing", *words)])
    out, err = capfd.readouterr()
    return int(leaving.value.code or 0), out, err


def test_json_is_one_object_and_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out = tmp_path / "new" / "a.flac"
    code, printed, err = run(
        capfd, tune(tmp_path), "--voice", voice_file, "-o", out, "--lang", "it", "--json",
        "--tempo", 240, "--semitones", -12, "--no-vibrato", "--portamento", 0,
    )  # fmt: skip
    assert (code, err) == (0, "")
    result = json.loads(printed)
    assert (result["output"], result["voice"], result["device"]) == (str(out), "tester", "cpu")
    assert (result["language"], result["semitones"], result["phrases"]) == ("it", -12, 2)
    assert (result["title"], result["part"]) == ("Luna", "Voice")
    assert {"score", "words", "prosody", "vocode", "total"} <= set(result["timings"])
    audio = io.read(out)
    assert (audio.channels, audio.sample_rate_hz) == (1, 24_000)
    assert audio.seconds == pytest.approx(result["seconds"]) == pytest.approx(3.0)
    assert list(out.parent.iterdir()) == [out]


def test_people_get_a_line_and_the_notes(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out, words = tmp_path / "a.wav", tmp_path / "words.txt"
    words.write_text("lu-na")
    code, printed, err = run(
        capfd, tune(tmp_path), "--voice", voice_file, "-o", out, "--lang", "it", "--lyrics", words,
        "--semitones", 0,
    )  # fmt: skip
    assert (code, err) == (0, "")
    first, *notes = printed.splitlines()
    assert first.startswith(f"{out}: 5.5 s sung by tester, 2 phrases, +0 semitones, in ")
    assert notes[0] == "  note: 1 notes have no words and are sung to 'la'"


def test_a_backing_track(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    backing = tmp_path / "band.wav"
    io.write(Audio(np.full((2, 44_100), 0.1, np.float32), 44_100), backing)
    out = tmp_path / "a.wav"
    words = (tune(tmp_path), "--voice", voice_file, "--lang", "it")
    code, _, _ = run(capfd, *words, "-o", out, "--backing", backing)
    assert code == 0
    assert io.read(out).samples.shape == (2, round(5.5 * 44_100))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.musicxml", "", "empty file"),
        ("a.musicxml", "<score-partwise>", "well-formed XML"),
        ("a.mid", "MThd", "damaged or truncated"),
        ("a.txt", "la la la", "ending '.txt'"),
    ],
)
def test_bad_scores_leave_with_2(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    name: str,
    text: str,
    said: str,
) -> None:
    score, out = tmp_path / name, tmp_path / "a.wav"
    score.write_text(text)
    code, printed, err = run(capfd, score, "--voice", voice_file, "-o", out)
    assert (code, printed) == (2, "")
    assert said in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tempo", "0"), "tempo: found 0"),
        (("--tempo", "fast"), "is not a valid float"),
        (("--semitones", "99"), "semitones: found 99"),
        (("--vibrato", "999"), "--vibrato"),
        (("--verse", "0"), "--verse"),
        (("--part", "Tuba"), "part: found 'Tuba'"),
        (("--lang", "tlh"), "language: found 'tlh'"),
        (("--lyrics", "none.txt"), "cannot be read"),
        (("--backing", "none.wav"), "none.wav"),
    ],
)
def test_bad_options_leave_with_2(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    words: tuple[str, ...],
    said: str,
) -> None:
    out = tmp_path / "a.wav"
    code, printed, err = run(capfd, tune(tmp_path), "--voice", voice_file, "-o", out, *words)
    assert (code, printed) == (2, "")
    assert said in err
    assert not out.exists()


def test_lyrics_that_are_none(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    words = tmp_path / "words.txt"
    for data, said in (
        (b"", "no words"), (b"\xff\xfe", "no UTF-8"), (b"la " * 400_000, "more than 1000000"),
    ):  # fmt: skip
        words.write_bytes(data)
        score = tune(tmp_path)
        code, _, err = run(
            capfd, score, "--voice", voice_file, "-o", tmp_path / "a.wav", "--lyrics", words
        )
        assert code == 2
        assert said in err


def test_what_is_missing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out = tmp_path / "a.wav"
    code, _, err = run(capfd, tmp_path / "none.mid", "--voice", voice_file, "-o", out)
    assert (code, "found no file" in err) == (2, True)
    code, _, err = run(capfd, tune(tmp_path), "--voice", voice_file, "-o", tmp_path / "a.xyz")
    assert code == 2
