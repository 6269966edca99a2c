"""torch.compile as a baseline: in a process that is ended, and a reason where it fails."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from autovoice.bench import compiled
from autovoice.bench.tables import tables
from autovoice.bench.vocoder import vocoder


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; from pathlib import Path;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"Path({str(mark)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    begin_s = time.perf_counter()
    assert compiled.ended_by([sys.executable, "-c", code], 3.0) == "not done after 3 s"
    assert time.perf_counter() - begin_s < 20
    pid = int(mark.read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    pytest.fail("what the child had started goes on")


def test_what_breaks_says_why() -> None:
    words = [sys.executable, "-c", "raise SystemExit('no such backend')"]
    assert compiled.ended_by(words, 30.0) == "failed with status 1: no such backend"
    assert compiled.ended_by([sys.executable, "-c", ""], 30.0) == ""


def test_on_the_cpu_it_is_left_out_and_said_so() -> None:
    found = compiled.baselines([], "cpu", runs=1, limit_s=1.0)
    assert [name for name, _, _ in found] == [
        "torch.compile reduce-overhead",
        "torch.compile max-autotune",
    ]
    assert all(sound is None and "GPU" in row["skipped"] for _, row, sound in found)


def test_both_modes_in_both_precisions_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def ended_by(words: list[str], limit_s: float) -> str:
        folder = Path(words[-1])
        asked.append(json.loads((folder / "asked.json").read_text()) | {"limit_s": limit_s})
        inputs = torch.load(folder / "inputs.pt")
        if asked[-1]["half"]:
            return "not done after 9 s"
        torch.save(inputs[0], folder / "sound.pt")
        (folder / "timing.json").write_text('{"p50_ms": 1.5}')
        return ""

    monkeypatch.setattr(compiled, "ended_by", ended_by)
    found = compiled.baselines([torch.ones(3)], "cuda", runs=7, limit_s=9.0)
    assert [(each["mode"], each["half"]) for each in asked] == [
        ("reduce-overhead", False),
        ("max-autotune", False),
        ("reduce-overhead", True),
        ("max-autotune", True),
    ]
    assert all((each["runs"], each["limit_s"]) == (7, 9.0) for each in asked)
    assert found[1][:2] == ("torch.compile max-autotune", {"p50_ms": 1.5})
    assert torch.equal(found[1][2], torch.ones(3))  # type: ignore[arg-type]
    assert found[3] == (
        "torch.compile max-autotune float16",
        {"skipped": "not done after 9 s"},
        None,
    )


def test_a_row_without_a_figure_says_why() -> None:
    gate = {"mel_db": 0.0, "pitch_cents": 0.0, "held": True}
    eager = {"way": "eager", "batch": 1, "p50_ms": 10.0, "p99_ms": 11.0, "gate": gate}
    late = {"way": "torch.compile max-autotune", "batch": 1, "skipped": "not done after 9 s"}
    shown = tables({"about": {}, "vocoder": [eager, late]})
    last = "| torch.compile max-autotune | 1 | - | - | - | - | - | not done after 9 s |"
    assert shown.endswith(last)


@pytest.mark.e2e
def test_the_child_times_the_decoder_and_leaves_its_sound(tmp_path: Path) -> None:
    """With a compiler that does nothing: the sound is that of the network itself."""
    from autovoice.vocode.vocoder import Vocoder

    chance = torch.Generator().manual_seed(3)
    shapes = ((1, 512, 4), (1, 8), (1, 8), (1, 128), (1, 2_400))
    inputs = [torch.randn(shape, generator=chance) * 0.1 for shape in shapes]
    inputs[1] = torch.full((1, 8), 220.0)
    torch.save(inputs, tmp_path / "inputs.pt")
    asked = {"device": "cpu", "mode": "max-autotune", "half": False, "runs": 2}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    modes: list[str] = []

    def compile_(work: Any, *, mode: str, dynamic: bool) -> Any:
        modes.append(mode)
        return work

    compiled.measure(tmp_path, compile_)
    assert modes == ["max-autotune"]
    assert json.loads((tmp_path / "timing.json").read_text())["runs"] == 2
    with torch.inference_mode():
        wanted = Vocoder().network(*inputs)
    torch.testing.assert_close(torch.load(tmp_path / "sound.pt"), wanted)


@pytest.mark.e2e
def test_the_rows_of_the_vocoder_have_it_beside_eager() -> None:
    from autovoice.bench.material import Features

    chance = torch.Generator().manual_seed(4)
    asr, style = (torch.randn(n, generator=chance).numpy() * 0.1 for n in ((512, 40), (128,)))
    curve = torch.ones(80).numpy()
    made = Features(asr, 220 * curve, curve, style)
    rows = vocoder(made, "cpu", runs=1, batches=(1,), compile_s=5.0)
    assert [row["way"] for row in rows] == ["eager", *(map(compiled.name_of, compiled.MODES))]
    assert rows[0]["gate"]["held"]
