"""The workflows of speech, with a command line that hums instead of speaking."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e2e.commands import Done
from e2e.materials import Materials
from e2e.records import Case
from e2e.runner import run_one
from e2e.setting import Setting, Workflow
from e2e.workflows import WORKFLOWS, speak

from autovoice import io
from autovoice.types import Audio

GATES = [
    {"name": "similarity", "wanted": "> 0.8", "value": 0.83, "status": "pass"},
    {"name": "words", "wanted": "< 0.03", "value": 0.2, "status": "fail"},
]
CARD: dict[str, Any] = {
    "figures": {"cer": {"value": 0.2}, "similarity_target": {"value": 0.83}},
    "gates": GATES,
    "words": {"output": "the birch can use lid"},
}


@dataclass
class Humming:
    """Stand in for ``autovoice speak``."""

    silent: bool = False
    forgetful: bool = False
    code: int = 2
    books: int = 0

    def __call__(self, *words: Any, expect: int | None = 0) -> Done:
        assert words[0] == "speak"
        named = {str(a): b for a, b in pairwise(words)}
        if "?!" in str(words[1]):
            return Done("autovoice speak", self.code, "", "error: text: nothing", 0.1)
        seconds = 30.0
        if not self.silent:
            at_s = np.arange(round(seconds * 8000)) / 8000
            tone = (0.3 * np.sin(2 * np.pi * 220 * at_s)).astype(np.float32)
            io.write(Audio(tone[None], 8000), named["-o"])
        result: dict[str, Any] = {"notes": [], "first_audio_s": 0.2, "seconds": seconds}
        if "--chapters" in named:
            kept = self.books > 0 and not self.forgetful
            self.books += 1
            result["chapters"] = [{"kept": kept}, {"kept": kept}]
        if "--report" in named:
            folder = Path(named["--report"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "a.html").write_text("<html></html>", encoding="utf-8")
            (folder / "a.json").write_text(json.dumps(CARD), encoding="utf-8")
            result["card"] = {"page": str(folder / "a.html"), "json": str(folder / "a.json")}
        return Done("autovoice speak", 0, json.dumps(result), "", 0.1)


def setting(folder: Path, command: Any, **options: Any) -> Setting:
    (folder / "work").mkdir(exist_ok=True)
    materials = Materials(folder, folder / "nowhere")
    return Setting(command, materials, lambda *_, **__: {}, folder / "work", **options)


def failed(case: Case) -> set[str]:
    return {verdict.gate for verdict in case.verdicts if verdict.status == "fail"}


def test_gates_of_the_card_are_verdicts(tmp_path: Path) -> None:
    spoken, book, nothing = speak.run(setting(tmp_path, Humming()))
    assert failed(spoken) == {"words"}
    assert {v.gate for v in spoken.verdicts if v.group == "quality"} == {"similarity", "words"}
    assert spoken.timings == {"command": 0.1, "first audio": 0.2}
    assert spoken.notes == ("heard: the birch can use lid",)
    assert failed(book) == failed(nothing) == set()


@pytest.mark.parametrize(
    ("command", "misses"),
    [
        (Humming(silent=True), [{"output: exists", "output: length", "words"},
                                {"output: exists", "book: length"}, set()]),
        (Humming(forgetful=True), [{"words"}, {"chapters are kept"}, set()]),
        (Humming(code=0), [{"words"}, set(), {"exit code"}]),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told(tmp_path: Path, command: Humming, misses: list[set[str]]) -> None:
    assert [failed(case) for case in speak.run(setting(tmp_path, command))] == misses


def test_full_runs_every_built_in_voice(tmp_path: Path) -> None:
    from autovoice.voices import BUILTIN_VOICES

    cases = [case.name for case in speak.run(setting(tmp_path, Humming(), full=True))]
    assert {name.split(" -> ")[1] for name in cases[:5]} == set(BUILTIN_VOICES)


def test_cloned_voices_need_their_recordings(tmp_path: Path) -> None:
    outcome = run_one(Workflow("cloned", "", speak.run_cloned), setting(tmp_path, Humming()))
    assert not outcome.errored
    assert "no evaluation audio" in outcome.why
    assert "text to speech, cloned voice" in {workflow.name for workflow in WORKFLOWS}
