"""The benchmark's own parts: clocks, the quality gate, tables, and a run of the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from autovoice.bench import facts, timing
from autovoice.bench.gate import gate
from autovoice.bench.history import keep
from autovoice.bench.material import SONG_HZ, Features, song
from autovoice.bench.tables import tables
from autovoice.bench.timing import timed
from autovoice.cli.main import autovoice
from autovoice.errors import InputError


def _tone(f0_hz: float, seconds: float = 1.0) -> torch.Tensor:
    time_s = torch.arange(round(24_000 * seconds)) / 24_000
    partials = [torch.sin(2 * torch.pi * f0_hz * k * time_s) / k for k in range(1, 12)]
    return 0.2 * torch.stack(partials).sum(0)[None]


def test_runs_are_counted_and_sorted_into_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.cumsum([0.0, *[0.0, 0.001, 0.0] * 9, 0.0, 0.1, 0.0]))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(clock)))
    calls: list[int] = []
    found = timed(lambda: calls.append(1), runs=10, warm_up=2, longest_s=1e9)
    assert len(calls) == 12
    assert found.runs == 10
    assert found.p50_ms == pytest.approx(1.0)
    assert found.p99_ms > 50


def test_a_slow_work_is_not_run_to_the_end() -> None:
    found = timed(lambda: None, runs=1_000, longest_s=0.0)
    assert found.runs == 100


def test_the_gate_holds_for_the_same_and_falls_for_another_pitch_or_colour() -> None:
    tone = _tone(220.0)
    assert gate(tone, tone).held
    higher = gate(_tone(220.0 * 2 ** (20 / 1200)), tone)
    assert higher.pitch_cents == pytest.approx(20, abs=3)
    assert not higher.held
    dull = torch.cumsum(tone, 1)
    assert not gate(dull * tone.std() / dull.std(), tone).held


def test_the_song_has_the_length_that_is_asked_for() -> None:
    for seconds in (0.5, 30.0):
        made = song(seconds)
        assert made.samples.shape == (2, round(seconds * SONG_HZ))


def test_items_of_a_batch_come_from_other_places() -> None:
    chance = np.random.default_rng(1)
    curves = [chance.normal(size=n).astype(np.float32) for n in (200, 200)]
    found = Features(
        chance.normal(size=(512, 100)).astype(np.float32), *curves, np.zeros(128, np.float32)
    ).batch(3, 1.0, "cpu")
    assert [tuple(x.shape) for x in found] == [
        (3, 512, 40),
        (3, 80),
        (3, 80),
        (3, 128),
        (3, 24_000),
    ]
    assert not torch.equal(found[0][0], found[0][1])


def test_tables_say_what_is_void() -> None:
    row: dict[str, Any] = {"way": "eager", "batch": 1, "p50_ms": 10.0, "p99_ms": 11.0}
    good = {"mel_db": 0.0, "pitch_cents": 0.0, "held": True}
    fast = row | {"way": "engine", "p50_ms": 2.0, "gate": good | {"held": False}}
    shown = tables({"about": {"machine": "this"}, "vocoder": [row | {"gate": good}, fast]})
    assert "| engine | 1 | 2.00 | 11.00 | 5.00 | 0.000 | 0.00 | **void** |" in shown
    made = tables({"about": {}, "kernels": [
        {"op": "a", "batch": 1, "way": "kernel", "p50_ms": 0.002},
        {"op": "a", "batch": 1, "way": "eager", "p50_ms": 0.010},
        {"op": "a", "batch": 1, "way": "torch.compile", "p50_ms": 0.004},
    ]})  # fmt: skip
    assert "| a | 1 | 2.0 | 10.0 | 4.0 | 2.00 |" in made


def test_the_history_has_a_line_per_commit_and_machine(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"

    def measured(commit: str, machine: str, **parts: int) -> None:
        keep(path, {"about": {"commit": commit, "machine": machine}, **parts})

    measured("aa", "one", song=1, pipeline=2)
    measured("aa", "two", song=3)
    measured("bb", "one", song=4)
    measured("aa", "one", song=5)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["song"] for line in lines] == [5, 3, 4]
    assert lines[0]["pipeline"] == 2
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_file_that_is_no_history_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text('{"about": {}}\nDear reader,\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"letter\.txt:2: found no measurement"):
        keep(path, {"about": {}})
    assert path.read_text(encoding="utf-8").endswith("Dear reader,\n")


def test_a_measurement_says_of_which_commit_it_is(tmp_path: Path) -> None:
    assert facts.commit(tmp_path) == "unknown"
    assert facts.facts("cpu")["commit"].startswith(facts.commit(facts.ROOT).split()[0])


def test_the_command_measures_and_keeps_a_history(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    words = [
        "bench",
        "pipeline",
        "--device",
        "cpu",
        "--runs",
        "1",
        "--json",
        "--history",
        str(history),
    ]
    for _ in range(2):
        done = CliRunner().invoke(autovoice, words)
        assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert len(lines) == 1
    mixed, alone = lines[0]["pipeline"]
    assert mixed["stages_ms"]["separate"] > 0
    assert alone["p50_ms"] < mixed["p50_ms"] * 2
    assert mixed["peak_vram_bytes"] is None
