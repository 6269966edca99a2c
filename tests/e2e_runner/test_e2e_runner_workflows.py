"""The workflows' own steps, with a command line that copies instead of converting."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e2e.commands import Command, CommandFailed, Done
from e2e.conversions import Job, convert
from e2e.materials import Materials
from e2e.records import Case
from e2e.setting import Setting
from e2e.workflows import batch

from autovoice import io
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio

EMBEDDING = np.zeros(256, np.float32)
CARD: dict[str, Any] = {
    "figures": {"pitch_rmse_hz": {"value": 3.0}, "similarity_target": {"value": 0.8}},
    "gates": [
        {"name": "pitch", "wanted": "< 10 Hz", "value": 3.0, "status": "pass"},
        {"name": "similarity", "wanted": "> 0.74", "value": 0.8, "status": "pass"},
    ],
}


@dataclass
class Copying:
    """Stand in for ``autovoice``: the cover is the song, and the card is always the same."""

    silent: bool = False
    page: str = "<html><img src='data:image/png;base64,'></html>"
    gate_code: int = 0
    typed: list[str] = field(default_factory=list)

    def __call__(self, *words: Any, expect: int | None = 0) -> Done:
        self.typed.append(str(words[0]))
        if words[0] == "eval":
            return Done("autovoice eval", self.gate_code, json.dumps(CARD), "", 0.1)
        named = {str(a): b for a, b in pairwise(words)}
        result: dict[str, Any] = {"semitones": 0, "notes": []}
        if not self.silent:
            cover = Path(named["-o"])
            cover.parent.mkdir(parents=True)
            shutil.copy(words[1], cover)
        if "--report" in named:
            folder = Path(named["--report"])
            folder.mkdir()
            (folder / "a.html").write_text(self.page, encoding="utf-8")
            (folder / "a.json").write_text(json.dumps(CARD), encoding="utf-8")
            result["card"] = {"page": str(folder / "a.html"), "json": str(folder / "a.json")}
        return Done("autovoice convert", 0, json.dumps(result), "", 0.1)


def setting(folder: Path, command: Any) -> Setting:
    def judge(*files: Any, **how: Any) -> dict[str, Any]:
        return CARD

    return Setting(command, Materials(folder, folder / "nowhere"), judge, folder / "work")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    tone = 0.3 * np.sin(2 * np.pi * 220 / 16_000 * np.arange(16_000))
    return io.write(Audio(tone[None].astype(np.float32), 16_000), tmp_path / "song.wav")


def failed(case: Case) -> set[str]:
    return {verdict.gate for verdict in case.verdicts if verdict.status == "fail"}


@pytest.mark.parametrize("scored_by", ["process", "report", "eval"])
def test_a_conversion_is_checked_and_scored(tmp_path: Path, song: Path, scored_by: Any) -> None:
    job = Job("song -> kumo", song, "kumo", EMBEDDING, scored_by=scored_by)
    case = convert(setting(tmp_path, Copying()), job)
    assert failed(case) == set()
    assert [v.gate for v in case.verdicts if v.group == "quality"] == ["pitch", "similarity"]
    assert case.commands == ("autovoice convert",)
    assert case.timings["command"] == 0.1


def test_no_file_is_a_failed_check_and_needs_no_card(tmp_path: Path, song: Path) -> None:
    case = convert(setting(tmp_path, Copying(silent=True)), Job("a", song, "kumo", EMBEDDING))
    assert failed(case) == {"output: exists", "card: its recordings exist"}
    assert not case.figures


@pytest.mark.parametrize("suffix", [".wav", ".mp3"])
@pytest.mark.parametrize("stems", [(), ("converted", "vocals")])
def test_files_of_a_batch_are_missed_where_they_are_not(
    tmp_path: Path, song: Path, suffix: str, stems: tuple[str, ...]
) -> None:
    given = setting(tmp_path, Copying())
    folder = given.folder / "batch" / "stems" / "song"
    folder.mkdir(parents=True)
    for name in stems:
        shutil.copy(song, folder / f"{name}.wav")
    result = {"output": str(tmp_path / f"cover{suffix}"), "semitones": 0, "notes": []}
    done = Done("autovoice convert", 0, "", "", 0.1)
    without = {"output: exists"} | (set() if stems else {"card: its recordings exist"})
    assert failed(batch._one(given, song, result, done, 1)) == without
    io.write(io.read(song), tmp_path / f"cover{suffix}")
    assert failed(batch._one(given, song, result, done, 1)) == without - {"output: exists"}


@pytest.mark.parametrize(
    ("statuses", "code"),
    [(("pass", "fail"), 1), (("pass", "not applicable"), 0), (("not applicable",) * 2, 1)],
)
def test_the_exit_code_that_gate_owes(
    tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch, statuses: Any, code: int
) -> None:
    gates = [{**gate, "status": s} for gate, s in zip(CARD["gates"], statuses, strict=True)]
    monkeypatch.setitem(CARD, "gates", gates)
    job = Job("a", song, "kumo", EMBEDDING, scored_by="eval")
    case = convert(setting(tmp_path, Copying(gate_code=code)), job)
    assert "eval: exit code of --gate" not in failed(case)


def test_a_page_that_needs_a_network_fails(tmp_path: Path, song: Path) -> None:
    job = Job("a", song, "kumo", EMBEDDING, scored_by="report")
    page = "<script src='https://example.org/plot.js'></script>"
    case = convert(setting(tmp_path, Copying(page=page)), job)
    assert failed(case) == {"report: opens without a network"}


def test_an_exit_code_that_says_otherwise_than_the_gates_fails(tmp_path: Path, song: Path) -> None:
    job = Job("a", song, "kumo", EMBEDDING, scored_by="eval")
    case = convert(setting(tmp_path, Copying(gate_code=1)), job)
    assert failed(case) == {"eval: exit code of --gate"}
    with pytest.raises(CommandFailed, match="exit code 3"):
        convert(setting(tmp_path / "again", Copying(gate_code=3)), job)


def test_a_command_that_ends_otherwise_is_an_error(tmp_path: Path) -> None:
    command = Command(tmp_path)
    with pytest.raises(CommandFailed, match="exit code 2, expected 0") as told:
        command("no-such-command")
    assert "no-such-command" in str(told.value)
    done = command("no-such-command", expect=2)
    assert done.code == 2
    with pytest.raises(CommandFailed, match="no JSON object"):
        done.json()


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="not done after"):
        Command(tmp_path, timeout_s=0.01)("doctor")


def test_without_evaluation_audio_the_reason_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match=r"no evaluation audio at .*, pass --eval-folder"):
        Materials(tmp_path, tmp_path / "nowhere").recording("libri")


def test_cuts_are_as_long_as_asked_and_know_their_language(tmp_path: Path, song: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,language\nsong.flac,en(zh L1)\n", encoding="utf-8")
    materials = Materials(tmp_path, tmp_path)
    part = materials.cut(song, 0.25, 0.75, suffix=".wav", mono=True)
    assert io.read(part).length_samples == 8_000
    assert materials.cut(song, 0.25, 0.75, suffix=".wav") != part
    assert materials.language(part) == "en"
    assert materials.language(tmp_path / "another.wav") is None
    with pytest.raises(NotApplicable, match=r"1\.0 s long, 2 s are asked"):
        materials.cut(song, 0, 2)
