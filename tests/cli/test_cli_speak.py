from __future__ import annotations

import io as text_io
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
from autovoice.errors import InputError
from autovoice.types import Audio

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from standins import Beeps, builders, voice

TEXT = "it was a cold morning. nobody spoke"
CARD_FILES = {"page": "d.html", "json": "d.card.json", "gates": "words pass"}


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Put stand-ins where the command line builds its engine; return what was spoken."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    spoken: list[str] = []

    class Listened(Beeps):
        def features(self, utterance: Any, speaker: Any, *, speed: float) -> Any:
            if utterance.text == "stop":
                raise KeyboardInterrupt
            spoken.append(utterance.text)
            return super().features(utterance, speaker, speed=speed)

    class Humming:
        def synthesise(self, features: Any, speaker: Any, *, seed: int = 0) -> Audio:
            at_s = np.arange(round(features.seconds * 24_000)) / 24_000
            return Audio(np.sin(at_s * 1000).astype(np.float32)[None] * np.float32(0.3), 24_000)

    def make(device: str, vram: str | None) -> Engine:
        stages = builders(speech=Listened, speech_vocoder=lambda device: Humming())
        return Engine(device, vram, builders=stages)

    monkeypatch.setattr("autovoice.cli.speak.make_engine", make)
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    return spoken


@pytest.fixture
def voice_file(tmp_path: Path) -> str:
    return str(voice().save(tmp_path / "tester.voice"))


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command line in this process and return exit code, stdout and stderr."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    out, err = capfd.readouterr()
    return int(leaving.value.code or 0), out, err


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put bytes on standard input."""
    monkeypatch.setattr(sys, "stdin", text_io.TextIOWrapper(text_io.BytesIO(data)))


def test_json_is_one_object_and_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out = tmp_path / "new" / "d.flac"
    code, printed, err = run(
        capfd, "speak", TEXT, "--voice", voice_file, "-o", out, "--json", "--speed", 2
    )
    assert (code, err) == (0, "")
    result = json.loads(printed)
    assert (result["output"], result["voice"], result["device"]) == (str(out), "tester", "cpu")
    assert (result["language"], result["speed"], result["sentences"]) == ("en-us", 2.0, 2)
    assert {"text", "prosody", "vocode", "total"} <= set(result["timings"])
    assert 0 < result["first_audio_s"] <= result["timings"]["total"]
    audio = io.read(out)
    assert (audio.channels, audio.sample_rate_hz) == (1, 24_000)
    assert audio.seconds == pytest.approx(result["seconds"])
    assert list(out.parent.iterdir()) == [out]


def test_people_get_a_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out = tmp_path / "d.wav"
    code, printed, err = run(capfd, "speak", TEXT, "--voice", voice_file, "-o", out)
    assert (code, err) == (0, "")
    (line,) = printed.splitlines()
    assert line.startswith(f"{out}: 3.8 s spoken by tester, 2 sentences, in ")


def test_standard_input_is_read(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
    made: list[str],
) -> None:
    give(monkeypatch, "\ufeffder fluß war kalt".encode())
    code, _, _ = run(capfd, "speak", "-", "--voice", voice_file, "-o", tmp_path / "d.wav")
    assert (code, made) == (0, ["der fluß war kalt"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "found nothing to say"),
        (b"  \n", "found nothing to say"),
        (b"?, ;", "found nothing that can be spoken"),
        (b"hello \xff\xfe", "no UTF-8 at place 6"),
        (b"before\0after", "NUL character at place 6"),
    ],
)
def test_bad_text_is_told(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
    data: bytes,
    said: str,
) -> None:
    give(monkeypatch, data)
    out = tmp_path / "d.wav"
    code, printed, err = run(capfd, "speak", "-", "--voice", voice_file, "-o", out)
    assert (code, printed) == (2, "")
    assert said in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "3"], "3.0 is not in the range"),
        (["--lang", "xx"], "language: found 'xx'"),
        (["-o", "d.xyz"], "xyz"),
        (["--chapters", "--report", "R"], "--report judges one text"),
        (["--chapters", "--ssml"], "--chapters cuts plain text"),
        (["--voice", "nobody"], "no such voice"),
        (["--device", "tpu"], "tpu"),
    ],
)
def test_bad_options_are_told(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, printed, err = run(capfd, "speak", TEXT, "--voice", voice_file, "-o", "d.wav", *words)
    assert (code, printed) == (2, "")
    assert said in err
    assert not (tmp_path / "d.wav").exists()


def test_a_lexicon_reaches_the_engine(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
) -> None:
    read: list[Path] = []

    def read_lexicon(path: Path) -> dict[str, str]:
        read.append(path)
        return {"kumo": "k" * 30}

    monkeypatch.setattr("autovoice.cli.speak.read_lexicon", read_lexicon)
    code, printed, _ = run(
        capfd, "speak", "kumo", "--voice", voice_file, "-o", tmp_path / "d.wav", "--json",
        "--lexicon", tmp_path / "words.txt",
    )  # fmt: skip
    assert (code, read) == (0, [tmp_path / "words.txt"])
    assert json.loads(printed)["seconds"] == pytest.approx(3.25, abs=0.05)


def test_what_was_cut_short_leaves_nothing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str
) -> None:
    out = tmp_path / "d.wav"
    code, _, err = run(capfd, "speak", "one. stop. two", "--voice", voice_file, "-o", out)
    assert (code, err.strip()) == (130, "interrupted")
    assert not list(tmp_path.glob("*d.wav*"))


BOOK = "# One\n\nit was a cold morning.\n\n# Two\n\nnobody spoke.\n\n# Three\n\n{}"


def test_a_book_goes_on_where_it_was_cut_off(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
    made: list[str],
) -> None:
    out = tmp_path / "book.ogg"
    words = ("speak", "-", "--voice", voice_file, "-o", out, "--chapters", "--json")
    give(monkeypatch, BOOK.format("one. stop. two").encode())
    code, _, err = run(capfd, *words)
    assert code == 130
    assert "chapter 3 of 3: Three" in err
    assert not out.exists()
    kept = sorted(path.name for path in (tmp_path / "book.ogg.chapters").iterdir())
    assert [name[:4] for name in kept] == ["001-", "002-"]
    made.clear()

    give(monkeypatch, BOOK.format("then the wind came.").encode())
    code, printed, err = run(capfd, *words)
    assert code == 0
    assert made == ["# Three\n\nthen the wind came"]
    assert err == "chapter 3 of 3: Three\n"
    result = json.loads(printed)
    assert [chapter["kept"] for chapter in result["chapters"]] == [True, True, False]
    assert [chapter["title"] for chapter in result["chapters"]] == ["One", "Two", "Three"]
    parts = [io.read(chapter["file"]).seconds for chapter in result["chapters"]]
    assert result["seconds"] == pytest.approx(sum(parts) + 2 * 1.5, abs=0.01)
    assert io.read(out).seconds == pytest.approx(result["seconds"], abs=0.05)


def test_another_voice_or_speed_is_spoken_anew(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
    made: list[str],
) -> None:
    out = tmp_path / "book.flac"
    other = voice()
    changed = type(other)(other.header, other.style + np.float32(1), other.embedding)
    other_file = str(changed.save(tmp_path / "other.voice"))
    for words, count in (
        (["--voice", voice_file], 2),
        (["--voice", voice_file], 0),
        (["--voice", voice_file, "--speed", "1.5"], 2),
        (["--voice", other_file], 2),
    ):
        made.clear()
        give(monkeypatch, b"# One\n\ncold.\n\n# Two\n\nwind.")
        code, printed, _ = run(capfd, "speak", "-", "-o", out, "--chapters", *words)
        assert (code, len(made)) == (0, count)
        assert f"2 chapters, {2 - count} of them from an earlier call" in printed


def test_a_damaged_chapter_is_spoken_anew(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, voice_file: str, made: list[str]
) -> None:
    out = tmp_path / "book.flac"
    words = ("speak", "it was cold", "--voice", voice_file, "-o", out, "--chapters")
    assert run(capfd, *words)[0] == 0
    (chapter,) = (tmp_path / "book.flac.chapters").iterdir()
    chapter.write_bytes(b"no sound")
    made.clear()
    assert run(capfd, *words)[0] == 0
    assert made == ["it was cold"]


def test_a_card_is_made_of_the_first_minute(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
) -> None:
    judged: list[Any] = []

    def write(judge: Any, audio: Any, text: str, folder: Path, name: str, *, language: str) -> Any:
        judged.append((audio.seconds, text, folder, name, language))
        return CARD_FILES

    monkeypatch.setattr("autovoice.cli.cards.Judge.write_spoken", write, raising=False)
    text = ". ".join(["w" * 250] * 5)
    code, printed, _ = run(
        capfd, "speak", text, "--voice", voice_file, "-o", tmp_path / "d.wav",
        "--report", tmp_path / "R", "--json",
    )  # fmt: skip
    assert code == 0
    ((seconds, said, folder, name, language),) = judged
    assert seconds == pytest.approx(2 * 25.25, abs=0.1)
    assert said == " ".join(["w" * 250] * 2)
    assert (folder, name, language) == (tmp_path / "R", "d", "en-us")
    result = json.loads(printed)
    assert result["card"] == CARD_FILES
    assert json.loads((tmp_path / "R" / "d.json").read_text()) == result


def test_without_a_card_the_speech_stays(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    voice_file: str,
) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise InputError("nobody listens")

    monkeypatch.setattr("autovoice.cli.cards.Judge.write_spoken", fail, raising=False)
    out = tmp_path / "d.wav"
    code, printed, err = run(
        capfd, "speak", TEXT, "--voice", voice_file, "-o", out, "--report", tmp_path / "R"
    )
    assert code == 2
    assert err == "error: spoken, but without a card: nobody listens\n"
    assert out.is_file()
    assert "spoken by tester" in printed
