"""``autovoice voice train`` with made networks: the report, the card, the list."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from autovoice import io
from autovoice.cli.main import main
from autovoice.train.voice.tools import Tools
from autovoice.types import Audio
from autovoice.voices import VoiceStore

sys.path.append(str(Path(__file__).parents[1] / "train"))
from voice_standins import BERTA, RATE_HZ, encoders, sing, tools


@pytest.fixture(autouse=True)
def _made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(Tools, "of", staticmethod(lambda request: tools()))
    monkeypatch.setattr("autovoice.voices.encoders_on", lambda device: encoders())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return io.write(Audio(sing(14.0, BERTA)[None], RATE_HZ), tmp_path / "berta.wav")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(["voice", *(str(word) for word in words)])
    out, err = capsys.readouterr()
    return int(leaving.value.code or 0), out, err


def test_training_reports_and_the_voice_tells_of_it(
    capsys: pytest.CaptureFixture[str], recording: Path
) -> None:
    code, out, err = run(capsys, "train", "berta", recording, "--steps", 24, "--device", "cpu")
    assert code == 0
    assert "berta.wav: used, " in out
    assert "before   after  recordings" in out
    assert "similarity" in out
    assert "kept in" in out
    assert "train " in err
    assert " left, similarity 0." in err
    assert "no consent is recorded" in err
    assert "(trained, similarity 0." in run(capsys, "list")[1]
    shown = run(capsys, "show", "berta")[1]
    assert "fine tuned         True" in shown
    assert "before   after  recordings" in shown
    record = json.loads(run(capsys, "show", "berta", "--json")[1])
    assert record["training"]["steps"] == 24
    listed = json.loads(run(capsys, "list", "--json")[1])
    assert listed["stored"][0]["training"]["after"]["similarity"] > 0
    code, _, err = run(capsys, "train", "berta", recording)
    assert code == 2
    assert "--force" in err


def test_one_json_object(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    code, out, _ = run(
        capsys, "train", "berta", recording, "--steps", 24, "--device", "cpu", "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert found["voice"] == "berta"
    assert found["gained"] is True
    assert found["training"]["steps"] == 24
    assert found["recordings"][0]["verdict"] == "used"
    assert Path(found["path"]).is_file()


def test_looking_only_trains_nothing(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path
) -> None:
    silent = io.write(Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ), tmp_path / "silent.wav")
    code, out, _ = run(capsys, "train", "x", recording, silent, "--scan-only", "--device", "cpu")
    assert code == 0
    assert "silent.wav: refused, 0.0 s" in out
    assert "silent: nobody is heard in it" in out
    assert "s can be used" in out
    code, out, _ = run(
        capsys, "train", "x", recording, silent, "--scan-only", "--json", "--device", "cpu"
    )
    assert [row["verdict"] for row in json.loads(out)["recordings"]] == ["used", "refused"]
    assert VoiceStore.default().names() == []


def test_an_interruption_is_told_and_leaves_with_130(
    capsys: pytest.CaptureFixture[str], recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autovoice.train.voice.run.train_voice", stop)
    code, _, err = run(capsys, "train", "berta", recording)
    assert code == 130
    assert "the same command goes on" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["berta", "none.wav"], "no such file"),
        (["a/b", "none.wav"], "expected 1 to 64"),
        (["kumo", "none.wav"], "built-in voice"),
        (["berta", "none.wav", "--minutes", "-1"], "--minutes"),
        (["berta", "none.wav", "--device", "tpu"], "expected auto, cpu"),
    ],
)
def test_mistakes_are_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    code, out, err = run(capsys, "train", *words)
    assert (code, out) == (2, "")
    assert message in err
