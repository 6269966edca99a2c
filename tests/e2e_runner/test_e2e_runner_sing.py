"""The workflow of singing from notes, with a command line that hums the score."""

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
from e2e.setting import Setting
from e2e.workflows import WORKFLOWS, sing

from autovoice import io
from autovoice.speak.score import read_score
from autovoice.types import Audio


@dataclass
class Humming:
    """Stand in for ``autovoice sing``."""

    off_semitones: float = 0.0
    more_s: float = 0.0
    code: int = 2

    def __call__(self, *words: Any, expect: int | None = 0) -> Done:
        assert words[0] == "sing"
        named = {str(a): b for a, b in pairwise(words)}
        if "broken" in str(words[1]):
            return Done("autovoice sing", self.code, "", "error: expected well-formed XML", 0.1)
        score = read_score(words[1])
        f0_hz = np.zeros(round((score.seconds + sing.TAIL_S + self.more_s) * 24_000))
        for note in score.notes:
            inside = slice(round(note.start_s * 24_000), round((note.end_s - 0.05) * 24_000))
            f0_hz[inside] = 440 * 2 ** ((note.key - 12 + self.off_semitones - 69) / 12)
        phase = 2 * np.pi * np.cumsum(f0_hz) / 24_000
        wave = sum(np.sin(phase * k) / k for k in range(1, 12)) * 0.2 * (f0_hz > 0)
        io.write(Audio(wave.astype(np.float32)[None], 24_000), named["-o"])
        result = {"semitones": -12, "notes": ["a breath"]}
        return Done("autovoice sing", 0, json.dumps(result), "", 0.1)


def cases(folder: Path, command: Any, **options: Any) -> list[Case]:
    (folder / "work").mkdir(exist_ok=True)
    materials = Materials(folder, folder / "nowhere")
    made = Setting(command, materials, lambda *_, **__: {}, folder / "work", **options)
    return list(sing.run(made))


def failed(case: Case) -> set[str]:
    return {verdict.gate for verdict in case.verdicts if verdict.status == "fail"}


def test_what_is_in_tune_passes(tmp_path: Path) -> None:
    sung, broken = cases(tmp_path, Humming())
    assert failed(sung) == failed(broken) == set()
    assert sung.notes == ("a breath",)
    assert "sing from notes" in {workflow.name for workflow in WORKFLOWS}


@pytest.mark.parametrize(
    ("command", "misses"),
    [
        (Humming(off_semitones=1.0), [{"notes: within 50 cents"}, set()]),
        (Humming(more_s=0.1), [{"length of the score"}, set()]),
        (Humming(code=0), [set(), {"exit code"}]),
    ],
)
def test_what_goes_wrong_is_told(tmp_path: Path, command: Humming, misses: list[set[str]]) -> None:
    assert [failed(case) for case in cases(tmp_path, command)] == misses
