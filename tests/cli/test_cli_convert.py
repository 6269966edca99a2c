from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice import io
from autovoice.cli.main import main
from autovoice.engine import Engine
from autovoice.types import Audio, ScoreCard

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from standins import Carrier, builders, song, voice

CARD = ScoreCard(4.5, 0.97, 0.8, 0.6, 0.5, 0, 12)
CARD_FILES = {"page": "song.html", "json": "song.card.json", "gates": "pitch pass"}


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture(autouse=True)
def _small_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, carrier: Carrier) -> None:
    """Put stand-ins where the command line builds its engine and judges the result."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))

    def make(device: str, vram: str | None) -> Engine:
        return Engine(device, vram, builders=builders(carrier))

    monkeypatch.setattr("autovoice.cli.convert.make_engine", make)
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    judge = SimpleNamespace(score=lambda *arguments: CARD)
    monkeypatch.setitem(sys.modules, "autovoice.eval.summary", judge)  # type: ignore[arg-type]
    monkeypatch.setattr("autovoice.cli.cards.Judge.write", lambda *arguments: CARD_FILES)


@pytest.fixture
def voice_file(tmp_path: Path) -> str:
    return str(voice().save(tmp_path / "tester.voice"))


@pytest.fixture
def song_file(tmp_path: Path) -> Path:
    return io.write(song(1.0), tmp_path / "song.wav")


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command line in this process and return exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    out, err = capfd.readouterr()
    return int(leaving.value.code or 0), out, err


def test_json_is_one_object_and_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    out = tmp_path / "out" / "cover.flac"
    code, printed, err = run(
        capfd, "convert", song_file, "--voice", voice_file, "-o", out, "--json",
        "--device", "cpu", "--stems", tmp_path / "stems", "--report", tmp_path / "reports",
    )  # fmt: skip
    assert (code, err) == (0, "")
    result = json.loads(printed)
    assert result["output"] == str(out)
    assert result["seconds"] == pytest.approx(1.0)
    assert (result["semitones"], result["voice"], result["device"]) == (12, "tester", "cpu")
    assert result["score"]["pitch_error_cents"] == 4.5
    assert result["range"]["semitones"] == 12
    assert {"separate", "pitch", "words", "convert", "vocode", "mix", "total", "score"} <= set(
        result["timings"]
    )
    for name in ("vocals", "backing", "converted"):
        assert result["stems"][name] == str(tmp_path / "stems" / f"{name}.wav")
        assert (tmp_path / "stems" / f"{name}.wav").is_file()
    assert json.loads((tmp_path / "reports" / "song.json").read_text()) == result
    assert result["card"] == CARD_FILES
    assert io.read(out).length_samples == 44_100


def test_people_get_two_lines(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    out = tmp_path / "c.wav"
    code, printed, err = run(capfd, "convert", song_file, "--voice", voice_file, "-o", out)
    assert code == 0
    assert all(line.startswith("note: ") for line in err.splitlines())
    first, second = printed.splitlines()
    assert first.startswith(f"{out}: 1.0 s sung by tester, +12 semitones, in ")
    assert second == "  pitch error 4.5 cents, similarity to the voice 0.80, before 0.50"


def test_options_reach_the_engine(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    code, printed, _ = run(
        capfd, "convert", song_file, "--voice", voice_file, "-o", tmp_path / "c.wav", "--json",
        "--semitones", "-5", "--no-separate", "--preset", "fast", "--seed", 7, "--vram", "2G",
    )  # fmt: skip
    assert code == 0
    assert json.loads(printed)["semitones"] == -5


def _bad_songs(folder: Path) -> dict[str, Path]:
    wav = io.write(song(1.0), folder / "good.wav").read_bytes()
    files = {
        "empty.wav": b"",
        "text.wav": b"these are words, not sound\n" * 20,
        "cut.wav": wav[:30],
        "list.m3u": b"#EXTM3U\nsong.mp3\n",
        "video.mp4": b"\0\0\0\x18ftypisom" + bytes(200),
        "pickle.wav": b"\x80\x04\x95" + bytes(100),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in [*files, "missing.wav"]} | {"folder": folder}


@pytest.mark.parametrize(
    "kind",
    ["empty.wav", "text.wav", "cut.wav", "list.m3u", "video.mp4", "pickle.wav", "missing.wav",
     "folder"],
)  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_songs_are_one_clear_line_and_exit_2(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, kind: str, as_json: bool
) -> None:
    bad = _bad_songs(tmp_path)[kind]
    flags = ["--json"] if as_json else []
    code, printed, err = run(
        capfd, "convert", bad, "--voice", voice_file, "-o", tmp_path / "c.wav", *flags
    )
    assert (code, printed) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "c.wav").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--semitones", "30"], 2, "expected -24 to 24 or 'auto'"),
        (["--semitones", "high"], 2, "expected -24 to 24 or 'auto'"),
        (["--vram", "lots"], 2, "such as 4G"),
        (["--device", "tpu"], 2, "device"),
        (["--device", "cuda:99"], 4, "use --device auto"),
        (["--preset", "ultra"], 2, "ultra"),
        (["--seed", "-1"], 2, "seed"),
        (["--unknown"], 2, "--unknown"),
    ],
)
def test_wrong_options_say_what_is_expected(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    words: list[str],
    code: int,
    message: str,
) -> None:
    found, printed, err = run(
        capfd, "convert", song_file, "--voice", voice_file, "-o", tmp_path / "c.wav", *words
    )
    assert (found, printed) == (code, "")
    assert message in err


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("cover.xyz", "'.xyz'"),
        ("cover", "suffix"),
        ("taken/cover.wav", "expected a folder"),
        ("song.wav", "would replace the song"),
    ],
)
def test_outputs_are_checked_before_the_work(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    carrier: Carrier,
    output: str,
    message: str,
) -> None:
    (tmp_path / "taken").write_text("")
    before = song_file.read_bytes()
    code, _, err = run(capfd, "convert", song_file, "--voice", voice_file, "-o", tmp_path / output)
    assert code == 2
    assert message in err
    assert carrier.calls == []
    assert song_file.read_bytes() == before


def test_eight_channels_do_not_fit_into_an_mp3(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, carrier: Carrier
) -> None:
    wide = io.write(song(1.0, channels=8), tmp_path / "wide.wav")
    code, _, err = run(capfd, "convert", wide, "--voice", voice_file, "-o", tmp_path / "c.mp3")
    assert code == 2
    assert "8 channels" in err
    assert carrier.calls == []


def test_an_unknown_voice_lists_what_exists(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, song_file: Path
) -> None:
    code, _, err = run(capfd, "convert", song_file, "--voice", "nobody", "-o", tmp_path / "c.wav")
    assert code == 2
    assert "built-in voices: alpha, gongitsune, nezumi, tebukuro, kumo; stored voices: none" in err


def test_a_batch_goes_on_after_a_failed_song(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    (tmp_path / "other").mkdir()
    same_name = io.write(song(0.5), tmp_path / "other" / "song.flac")
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"")
    out = tmp_path / "covers"
    code, printed, err = run(
        capfd, "convert", song_file, bad, same_name, "--voice", voice_file, "-o", out, "--json",
        "--stems", tmp_path / "stems", "--report", tmp_path / "reports",
    )  # fmt: skip
    assert code == 2
    result = json.loads(printed)
    assert [r["output"] for r in result["results"]] == [
        str(out / "song.wav"),
        str(out / "song-2.flac"),
    ]
    assert [f["song"] for f in result["failed"]] == [str(bad)]
    assert "empty" in result["failed"][0]["error"]
    assert f"error: {bad}: " in err
    assert (tmp_path / "stems" / "song-2" / "converted.wav").is_file()
    assert (tmp_path / "reports" / "song-2.json").is_file()


def test_a_batch_tells_people_how_many_failed(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    code, printed, err = run(
        capfd, "convert", song_file, tmp_path / "none.wav", "--voice", voice_file,
        "-o", tmp_path / "covers",
    )  # fmt: skip
    assert code == 2
    assert printed.count("sung by tester") == 1
    assert err.endswith("1 of 2 songs failed\n")


def test_a_batch_needs_a_folder(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    code, _, err = run(
        capfd, "convert", song_file, song_file, "--voice", voice_file, "-o", tmp_path / "c.wav"
    )
    assert code == 2
    assert "2 songs need a folder" in err


@pytest.mark.parametrize("into", ["folder", "new/"])
def test_one_song_may_go_into_a_folder(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path, into: str
) -> None:
    (tmp_path / "folder").mkdir()
    code, printed, _ = run(
        capfd, "convert", song_file, "--voice", voice_file, "-o", f"{tmp_path}/{into}", "--json"
    )
    assert code == 0
    assert json.loads(printed)["output"] == str(tmp_path / into / "song.wav")


def test_the_word_demo_is_the_demo_song(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    def file(name: str, member: str) -> Path:
        asked.append((name, member))
        return song_file

    monkeypatch.setattr("autovoice.weights.file", file)
    code, printed, _ = run(
        capfd, "convert", "demo", "--voice", voice_file, "-o", f"{tmp_path}/d/", "--json"
    )
    assert code == 0
    assert json.loads(printed)["output"] == str(tmp_path / "d" / "demo.wav")
    assert ("demo-song", "audio_example.mp3") in asked


def test_existing_outputs_are_replaced(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, song_file: Path
) -> None:
    out = tmp_path / "c.wav"
    out.write_text("old")
    assert run(capfd, "convert", song_file, "--voice", voice_file, "-o", out)[0] == 0
    assert io.read(out).length_samples == 44_100
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (MemoryError(), 4, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_memory_and_interrupts_have_their_own_exit_codes(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    code: int,
    message: str,
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise failure

    monkeypatch.setattr("autovoice.engine.pipeline.Pipeline.analyse", fail)
    found, printed, err = run(
        capfd, "convert", song_file, "--voice", voice_file, "-o", tmp_path / "c.wav", "--json"
    )
    assert (found, printed) == (code, "")
    assert message in err


def test_missing_weights_are_exit_3(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from autovoice.errors import WeightsError

    def missing(*arguments: Any, **options: Any) -> None:
        raise WeightsError("spleeter-2stems: not in the cache;\nrun `autovoice models pull`")

    monkeypatch.setattr("autovoice.engine.pipeline.Pipeline.separate", missing)
    code, _, err = run(capfd, "convert", song_file, "--voice", voice_file, "-o", tmp_path / "c.wav")
    assert code == 3
    assert err == "error: spleeter-2stems: not in the cache; run `autovoice models pull`\n"


def test_one_sample_of_one_channel_is_enough(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    tiny = io.write(Audio(np.full((1, 1), 0.5, np.float32), 8_000), tmp_path / "tiny.wav")
    code, _, _ = run(capfd, "convert", tiny, "--voice", voice_file, "-o", tmp_path / "c.wav")
    assert code == 0
    assert io.read(tmp_path / "c.wav").length_samples == 1


def test_missing_weights_are_fetched_once_and_announced(
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    voice_file: str,
    song_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pulled: list[list[str]] = []
    absent = SimpleNamespace(state="absent")
    monkeypatch.setattr("autovoice.weights.needed_by", lambda command: ("swift-f0",))
    monkeypatch.setattr("autovoice.weights.status", lambda name: absent)
    monkeypatch.setattr("autovoice.weights.pull", lambda names, progress: pulled.append(names))
    words = ("--voice", voice_file, "-o", tmp_path / "c.wav", "--json")
    code, printed, err = run(capfd, "convert", song_file, *words)
    assert code == 0
    assert pulled == [["swift-f0"]]
    assert "fetching weights, this once: swift-f0" in err
    json.loads(printed)
    assert run(capfd, "convert", tmp_path / "none.wav", *words)[0] == 2
    assert len(pulled) == 1
