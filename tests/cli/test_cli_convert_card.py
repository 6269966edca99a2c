"""The card of ``autovoice convert --report``, with stand-ins for engine and judges."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autovoice import io
from autovoice.engine import Engine
from autovoice.errors import AutoVoiceError, Cancelled, WeightsError
from autovoice.eval.scorer import Scorer

sys.path.append(str(Path(__file__).parents[1] / "eval"))
sys.path.append(str(Path(__file__).parents[1] / "engine"))
from card_desk import run, strict
from standins import Carrier, builders, song, voice


@pytest.fixture
def converts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put stand-ins for the engine; return a song."""

    def make(device: str, vram: str | None) -> Engine:
        return Engine(device, vram, builders=builders(Carrier()))

    monkeypatch.setattr("autovoice.cli.convert.make_engine", make)
    return io.write(song(2.0), tmp_path / "song.wav")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a stored voice: no recording has to be heard by the speaker encoder."""
    return voice().save(tmp_path / "tester.voice")


def test_convert_writes_the_card_of_the_conversion(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reports"
    code, out, err = run(
        capfd, "convert", converts, "--voice", files["ref"], "-o", tmp_path / "cover.wav",
        "--report", folder, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    result = strict(out)
    assert result["card"]["page"] == str(folder / "song.html")
    assert "similarity" in result["card"]["gates"]
    assert strict((folder / "song.json").read_text(encoding="utf-8")) == result
    card = strict((folder / "song.card.json").read_text(encoding="utf-8"))
    assert (card["source"]["name"], card["reference"]["name"]) == ("song.wav", "ref.wav")
    assert card["reference"]["seconds"] == pytest.approx(4.0)
    assert card["semitones"] == 12
    assert card["range"] == result["range"]
    assert "The song lies at " in (folder / "song.html").read_text(encoding="utf-8")
    assert card["figures"]["length_error_samples"]["value"] == 0.0
    assert made == [("cpu", True)]


def test_a_batch_loads_the_judges_once(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    kept: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reports"
    code, out, _ = run(
        capfd, "convert", converts, converts, "--voice", kept, "-o", tmp_path / "covers",
        "--report", folder,
    )  # fmt: skip
    assert code == 0
    assert len(made) == 1
    assert f"  card: {folder / 'song-2.html'} (pitch " in out
    card = strict((folder / "song-2.card.json").read_text(encoding="utf-8"))
    assert (card["reference"]["name"], card["reference"]["seconds"]) == ("tester", 0.0)


@pytest.mark.parametrize(
    ("error", "code"),
    [(AutoVoiceError("run `pip install 'autovoice[eval]'`"), 1), (WeightsError("offline"), 3)],
)
@pytest.mark.parametrize("count", [1, 2])
def test_a_conversion_without_a_card_is_not_lost(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: AutoVoiceError,
    code: int,
    count: int,
) -> None:
    def fail(device: str, *, words: bool = True) -> Scorer:
        raise error

    monkeypatch.setattr("autovoice.cli.cards.make_scorer", fail)
    found, out, err = run(
        capfd, "convert", *[converts] * count, "--voice", kept, "-o", f"{tmp_path}/c/",
        "--report", tmp_path / "reports", "--json",
    )  # fmt: skip
    assert found == code
    assert err.count("converted, but without a card") == count
    assert str(error) in err
    result = strict(out)
    whole = [result] if count == 1 else result["results"]
    assert [Path(each["output"]).is_file() for each in whole] == [True] * count
    if count == 2:
        assert [str(error) in each["error"] for each in result["failed"]] == [True, True]
    assert strict((tmp_path / "reports" / "song.json").read_text(encoding="utf-8")) == whole[0]
    assert io.read(tmp_path / "c" / "song.wav").length_samples == 2 * 44_100


@pytest.mark.parametrize(
    ("error", "code"), [(OSError("disk full"), 1), (RuntimeError("odd"), 1), (MemoryError(), 4)]
)
def test_whatever_breaks_the_card_a_batch_goes_on(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("autovoice.cli.cards.write_report", fail)
    found, out, err = run(
        capfd, "convert", converts, converts, "--voice", kept, "-o", f"{tmp_path}/c/",
        "--report", tmp_path / "reports", "--json",
    )  # fmt: skip
    assert found == code
    assert err.count(f"converted, but without a card: {type(error).__name__}: ") == 2
    assert len(strict(out)["results"]) == len(strict(out)["failed"]) == 2


def test_who_cancels_at_the_card_wants_no_more_songs(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise Cancelled("asked to stop")

    monkeypatch.setattr("autovoice.cli.cards.write_report", fail)
    found, _, _ = run(
        capfd, "convert", converts, converts, "--voice", kept, "-o", f"{tmp_path}/c/",
        "--report", tmp_path / "reports",
    )  # fmt: skip
    assert found == 130
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["song.wav"]


def test_a_report_that_cannot_be_written_leaves_the_conversion(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    converts: Path,
    kept: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "reports" / "song.json").mkdir(parents=True)  # a folder is in its place
    found, out, err = run(
        capfd, "convert", converts, converts, "--voice", kept, "-o", f"{tmp_path}/c/",
        "--report", tmp_path / "reports", "--json",
    )  # fmt: skip
    assert found == 1
    assert "converted, but without a report" in err
    assert [len(strict(out)[key]) for key in ("results", "failed")] == [2, 1]
    assert [path for path in (tmp_path / "reports").iterdir() if path.suffix == ".tmp"] == []
