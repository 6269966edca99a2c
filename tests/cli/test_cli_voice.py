from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from autovoice import io
from autovoice.cli.main import main
from autovoice.voices import Voice, VoiceHeader, VoiceStore

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from standins import encoders, song, voice


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("autovoice.cli.voice._encoders", encoders)


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    return VoiceStore(tmp_path / "data" / "voices")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(["voice", *(str(word) for word in words)])
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


def test_a_voice_is_created_shown_passed_on_and_deleted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: VoiceStore
) -> None:
    recording = io.write(song(4.0, seed=2), tmp_path / "me.wav")
    code, out, err = run(
        capsys, "create", "anna", recording, "--consent", "I agree.", "--licence", "CC0-1.0"
    )
    assert (code, err) == (0, "")
    assert out.startswith("anna: made from 4.0 s in 1 recording(s)")
    code, out, _ = run(capsys, "show", "anna", "--json")
    record = json.loads(out)
    assert (record["name"], record["consent"], record["licence"]) == ("anna", "I agree.", "CC0-1.0")
    assert record["sample_count"] == 1
    assert "consent" in run(capsys, "show", "anna")[1]

    file = tmp_path / "anna.voice"
    assert run(capsys, "export", "anna", file)[0] == 0
    assert Voice.load(file).name == "anna"
    assert run(capsys, "import", file, "--name", "berta")[1] == "berta: imported\n"
    assert store.names() == ["anna", "berta"]
    assert run(capsys, "delete", "anna", "--yes")[1] == "anna: deleted\n"
    assert store.names() == ["berta"]


def test_a_voice_is_shown_with_the_notes_that_it_sings_at_ease(
    capsys: pytest.CaptureFixture[str], store: VoiceStore
) -> None:
    store.save(voice("anna"))
    assert "comfortable range  B2 to F4\n" in run(capsys, "show", "anna")[1]
    sings = json.loads(run(capsys, "show", "anna", "--json")[1])["comfortable_range"]
    assert (sings["low_note"], sings["median_note"], sings["high_note"]) == ("B2", "F♯3", "F4")
    unknown = Voice(VoiceHeader(name="berta"), voice().style, voice().embedding)
    store.save(unknown)
    assert "comfortable range  -\n" in run(capsys, "show", "berta")[1]
    assert json.loads(run(capsys, "show", "berta", "--json")[1])["comfortable_range"] is None


def test_creating_without_consent_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recording = io.write(song(4.0), tmp_path / "me.wav")
    assert "no consent is recorded" in run(capsys, "create", "anna", recording)[2]


def test_a_taken_name_is_found_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: VoiceStore
) -> None:
    store.save(voice("anna"))
    recording = io.write(song(4.0), tmp_path / "me.wav")
    code, _, err = run(capsys, "create", "anna", recording)
    assert code == 2
    assert "--force" in err
    assert run(capsys, "create", "anna", recording, "--force")[0] == 0
    assert run(capsys, "create", "kumo", recording)[0] == 2


def test_the_list_holds_built_in_stored_and_damaged_voices(
    capsys: pytest.CaptureFixture[str], store: VoiceStore
) -> None:
    store.save(voice("anna"))
    store.path("bad").write_bytes(b"x" * 50)
    _, out, _ = run(capsys, "list")
    kinds = {line.split()[0]: line for line in out.splitlines()}
    assert "built in" in kinds["kumo"]
    assert "stored" in kinds["anna"]
    assert "DAMAGED" in kinds["bad"]
    listed = json.loads(run(capsys, "list", "--json")[1])
    assert [row["name"] for row in listed["stored"]] == ["anna"]
    assert listed["damaged"] == ["bad"]
    assert len(listed["builtin"]) == 5
    assert run(capsys, "delete", "bad", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "nobody"], "built-in voices: alpha"),
        (["delete", "nobody", "--yes"], "no stored voice is called"),
        (["delete", "../../etc/passwd", "--yes"], "expected 1 to 64"),
        (["export", "nobody", "x.voice"], "no such voice"),
        (["import", "none.voice"], "no voice can be read there"),
        (["create", "a/b", "x.wav"], "expected 1 to 64"),
        (["create", "anna", "none.wav"], "no such file"),
        (["create", "anna"], "Missing argument"),
        (["train", "anna"], "Missing argument"),
        (["train", "anna", "none.wav", "--scan-only"], "no such file"),
        (["dance", "anna"], "No such command"),
    ],
)
def test_mistakes_are_exit_2_with_a_reason(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err


def test_a_recording_has_no_record_to_show(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recording = io.write(song(4.0), tmp_path / "me.wav")
    code, _, err = run(capsys, "show", recording)
    assert code == 2
    assert "make a voice of it first" in err


def test_deleting_asks_first(
    capsys: pytest.CaptureFixture[str], store: VoiceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(voice("anna"))
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: "n")
    assert run(capsys, "delete", "anna")[0] == 130
    assert store.names() == ["anna"]
