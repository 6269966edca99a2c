"""``autovoice eval`` of one result, with stand-in judges."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice import io
from autovoice.errors import AutoVoiceError
from autovoice.eval.scorer import Scorer
from autovoice.types import Audio

sys.path.append(str(Path(__file__).parents[1] / "eval"))
sys.path.append(str(Path(__file__).parents[1] / "engine"))
from card_desk import run, strict
from standins import builders, voice


def judged(
    capfd: pytest.CaptureFixture[str], files: dict[str, Path], *words: object, **other: object
) -> tuple[int, str, str]:
    """Judge ``out.wav`` made of ``src.wav`` in the voice of ``ref.wav``, or others."""
    names = {name: other.get(name, files[name]) for name in ("out", "src", "ref")}
    return run(
        capfd, "eval", names["out"], "--source", names["src"], "--reference", names["ref"],
        "--device", "cpu", *words,
    )  # fmt: skip


def test_json_is_one_strict_object(
    capfd: pytest.CaptureFixture[str], made: list[tuple[str, bool]], files: dict[str, Path]
) -> None:
    code, out, err = judged(capfd, files, "--semitones", "-12", "--json")
    assert (code, err) == (0, "")
    card = strict(out)
    assert card["semitones"] == -12.0
    assert card["figures"]["pitch_median_cents"]["value"] < 5.0
    assert card["figures"]["similarity_target"]["value"] > 0.99
    assert card["figures"]["stoi"]["value"] is None
    assert [card[name]["name"] for name in ("output", "source", "reference")] == [
        "out.wav", "src.wav", "ref.wav",
    ]  # fmt: skip
    assert "report" not in card
    assert made == [("cpu", True)]


def test_people_get_a_table_by_group(
    capfd: pytest.CaptureFixture[str], made: list[tuple[str, bool]], files: dict[str, Path]
) -> None:
    code, out, err = judged(capfd, files, "--semitones", "-12", "--no-words", "--language", "en")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "out.wav (song, -12 semitones)"
    assert "  reference  ref.wav (4.0 s, 16000 Hz)" in lines
    assert any("pitch RMSE" in line and " Hz " in line and "lower is better" in line
               for line in lines)  # fmt: skip
    assert "words: not asked for" in lines
    assert "copy: not applicable: only for a voice copied to itself (kind copy)" in lines
    gates = lines[lines.index("gates") + 1 :]
    assert gates[0].split()[:2] == ["pass", "pitch"]
    assert "wanted < 10 Hz; Harvest" in gates[0]
    assert made == [("cpu", False)]


def test_a_failed_gate_is_shown_and_changes_the_exit_code_only_on_demand(
    capfd: pytest.CaptureFixture[str], made: list[tuple[str, bool]], files: dict[str, Path]
) -> None:
    code, out, _ = judged(capfd, files)
    assert code == 0
    assert "  FAIL" in out
    assert judged(capfd, files, "--gate")[0] == 1
    assert judged(capfd, files, "--gate", "--semitones", "-12")[0] == 0


def test_gates_that_do_not_apply_give_their_reason_and_are_no_pass(
    capfd: pytest.CaptureFixture[str], made: list[tuple[str, bool]], files: dict[str, Path]
) -> None:
    assert judged(capfd, files, out=files["silent"])[::2] == (0, "")
    code, out, err = judged(capfd, files, "--gate", out=files["silent"])
    assert (code, err) == (1, "error: --gate: no gate could be judged; the card says why\n")
    assert "not applicable  pitch" in out
    assert "the output is silent" in out


@pytest.mark.parametrize(
    ("swapped", "key", "reason"),
    [
        ({"out": "silent"}, "pitch_rmse_hz", "0 voiced frames in the output"),
        ({"out": "short"}, "gap_noise_share", "2.00 s long"),
        ({"ref": "short"}, "similarity_target", "the reference is 2.00 s long"),
    ],
)
def test_bad_input_is_a_card_with_reasons(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    swapped: dict[str, str],
    key: str,
    reason: str,
) -> None:
    others = {name: files[file] for name, file in swapped.items()}
    code, out, err = judged(capfd, files, "--json", **others)
    assert (code, err) == (0, "")
    figure = strict(out)["figures"][key]
    assert figure["value"] is None
    assert reason in figure["why_not"]


def test_the_report_is_a_page_and_its_figures(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "reports" / "new"
    code, out, _ = judged(capfd, files, "--json", "--report", folder, "--kind", "copy")
    assert code == 0
    card = strict(out)
    assert card.pop("report") == {
        "page": str(folder / "out.html"),
        "json": str(folder / "out.json"),
    }
    assert strict((folder / "out.json").read_text(encoding="utf-8")) == card
    assert (folder / "out.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in folder.iterdir()) == ["out.html", "out.json"]
    assert f"report: {folder / 'out.html'}" in judged(capfd, files, "--report", folder)[1]


def test_speech_is_judged_by_the_text_that_it_was_made_of(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    code, out, err = run(
        capfd, "eval", files["out"], "--text", "la la la", "--reference", files["ref"],
        "--device", "cpu", "--report", tmp_path, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    card = strict(out)
    assert card["kind"] == "text"
    assert card["words"]["source"] == "la la la"
    assert card["figures"]["similarity_target"]["value"] > 0.99
    assert card["figures"]["pitch_median_cents"]["value"] is None
    assert (tmp_path / "out.html").is_file()
    assert made == [("cpu", True)]


def test_a_stored_voice_may_be_the_reference(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    tmp_path: Path,
) -> None:
    kept = voice().save(tmp_path / "tester.voice")
    for word, name in ((kept, "tester"), ("kumo", "kumo")):
        code, out, _ = judged(capfd, files, "--json", ref=word, report=tmp_path)
        assert code == 0
        card = strict(out)
        assert card["reference"]["name"] == name
        assert card["figures"]["similarity_target"]["value"] is not None
        assert "no recording" in card["figures"]["distillmos_reference"]["why_not"]
    code, out, _ = judged(capfd, files, "--report", tmp_path / "r", ref=kept)
    assert "tester (a stored voice)" in out


def test_songs_with_backing_are_taken_apart_first(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("autovoice.engine.stages.Builders", builders)
    code, out, _ = judged(capfd, files, "--json", "--separate")
    assert code == 0
    card = strict(out)
    assert card["notes"][0].startswith("the vocals were taken out")
    whole = strict(judged(capfd, files, "--json")[1])
    apart = [each["figures"]["true_peak_dbtp"]["value"] for each in (card, whole)]
    assert apart[0] - apart[1] == pytest.approx(20 * np.log10(0.75), abs=0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing OUT, --source, --reference: give OUT"),
        (["o.wav"], "missing --source, --reference"),
        (["--source", "s.wav", "--reference", "r.wav"], "missing OUT"),
        (["o.wav", "--source", "s", "--reference", "r", "--fresh"], "--fresh: for a whole folder"),
        (["o.wav", "--pairs", "full", "--only", "x"], "--only, --pairs: for a whole folder"),
        (["--protocol", "DIR"], "--protocol needs --report"),
        (["--protocol", "DIR", "--report", "R", "o.wav"], "OUT: for a single OUT"),
        (["--protocol", "DIR", "--report", "R", "--gate", "--kind", "copy"],
         "--gate, --kind: for a single OUT"),
        (["o.wav", "--text", "a", "--source", "s", "--kind", "song", "--reference", "r"],
         "--kind, --source: not for --text"),
        (["o.wav", "--text", "hello"], "missing --reference"),
        (["--text", "a", "--protocol", "DIR", "--report", "R"], "--text: for a single OUT"),
        (["o.wav", "--kind", "opera"], "opera"),
        (["o.wav", "--semitones", "high"], "high"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(
    capfd: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, out, err = run(capfd, "eval", *words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


@pytest.mark.parametrize(
    ("other", "words", "message"),
    [
        ({"out": "none.wav"}, [], "none.wav"),
        ({"src": "none.wav"}, [], "none.wav"),
        ({"ref": "nobody"}, [], "nobody"),
        ({}, ["--device", "tpu"], "device"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_2(
    capfd: pytest.CaptureFixture[str],
    made: list[tuple[str, bool]],
    files: dict[str, Path],
    other: dict[str, str],
    words: list[str],
    message: str,
) -> None:
    code, out, err = judged(capfd, files, *words, **other)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert made == []


def test_a_folder_goes_to_the_protocol(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []

    def run_protocol(folder: Path, **options: Any) -> int:
        asked.append((folder, options))
        return 3

    monkeypatch.setattr("autovoice.cli.protocol.run_protocol", run_protocol)
    words = ("eval", "--protocol", tmp_path, "--report", tmp_path / "r")
    assert run(capfd, *words)[0] == 3
    code, _, _ = run(
        capfd, *words, "--pairs", "full", "--compare", "old.json", "--seconds", 5, "--only", "a",
        "--only", "b", "--cards", "--fresh", "--json", "--device", "cpu",
    )  # fmt: skip
    assert code == 3
    base = {"pairs": "quick", "report": tmp_path / "r", "device": "auto", "compare": None,
            "seconds": None, "only": (), "cards": False, "fresh": False,
            "as_json": False}  # fmt: skip
    full = {"pairs": "full", "device": "cpu", "compare": Path("old.json"), "seconds": 5.0,
            "only": ("a", "b"), "cards": True, "fresh": True, "as_json": True}  # fmt: skip
    assert asked == [(tmp_path, base), (tmp_path, {**base, **full})]


def test_weights_are_fetched_with_a_word_and_networks_loaded(
    capfd: pytest.CaptureFixture[str], files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled: list[list[str]] = []
    loaded: list[bool] = []
    absent = SimpleNamespace(state="absent")
    monkeypatch.setattr("autovoice.weights.status", lambda name: absent)
    monkeypatch.setattr("autovoice.weights.pull", lambda names, progress: pulled.append(names))
    monkeypatch.setattr(Scorer, "load", lambda self: loaded.append(self.words))
    monkeypatch.setattr(Scorer, "card", _no_card)
    code, _, err = judged(capfd, files)
    assert code == 1
    assert set(pulled[0]) == {"whisper-base", "resemblyzer", "distillmos", "dnsmos"}
    assert "fetching weights, this once: " in err
    judged(capfd, files, "--no-words")
    assert "whisper-base" not in pulled[1]
    assert loaded == [True, False]


def _no_card(*arguments: object, **options: object) -> None:
    raise AutoVoiceError("enough was seen")


def test_a_missing_extra_is_one_clear_line(
    capfd: pytest.CaptureFixture[str], files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    monkeypatch.setattr("autovoice.eval.judges.Builders.encoder", lambda *of: None)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    code, out, err = judged(capfd, files)
    assert (code, out) == (1, "")
    assert "pip install 'autovoice[eval]'" in err
    assert err.count("\n") == 1


def test_a_long_names_recording_of_the_voice_is_found_as_voices_are(tmp_path: Path) -> None:
    from autovoice.cli.cards import recording_named
    from autovoice.voices import VoiceStore

    store = VoiceStore(tmp_path / "voices")
    path = io.write(Audio(np.zeros((1, 9), np.float32), 8000), tmp_path / "kumo.wav")
    assert recording_named(str(path), store) == path
    for word in ("kumo", str(tmp_path / "a.voice"), str(tmp_path / "none.wav"), str(tmp_path)):
        assert recording_named(word, store) is None
