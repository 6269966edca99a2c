"""Reports as JSON lines, a table, and TensorBoard where it is there."""

from __future__ import annotations

import csv
import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autovoice.train.metrics import Metrics, Row

READY: Row = {"phase": "frozen", "at": "ready", "step": 0, "seconds": 1.0}
JUDGE: Row = {"phase": "frozen", "at": "judge", "step": 9, "seconds": 2.0, "judge": 3.5}
FIRST: Row = {"phase": "frozen", "at": "0.50", "step": 50, "seconds": 4.0, "asr": 0.5, "norm": 2.0}
BOARD = "torch.utils.tensorboard"


@pytest.fixture(autouse=True)
def _no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, BOARD, None)


def table(out: Path) -> tuple[list[str], list[dict[str, str]]]:
    with (out / "metrics.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames or ()), list(reader)


def test_columns_grow_and_rows_keep_their_place(tmp_path: Path) -> None:
    seen: list[Row] = []
    metrics = Metrics(tmp_path / "run", seen.append)
    for row in (READY, JUDGE, FIRST, {**FIRST, "step": 100}):
        metrics.write(row)
    metrics.write({**READY, "at": "end"})
    metrics.close()
    names, rows = table(tmp_path / "run")
    assert names == ["phase", "at", "step", "seconds", "judge", "asr", "norm"]
    assert [row["step"] for row in rows] == ["0", "9", "50", "100", "0"]
    assert [row["asr"] for row in rows] == ["", "", "0.5", "0.5", ""]
    assert len(seen) == 5
    assert metrics.last["step"] == 100
    lines = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == seen
    assert not list((tmp_path / "run").glob("*.part"))


def test_another_run_in_the_same_folder_continues_the_table(tmp_path: Path) -> None:
    Metrics(tmp_path).write(FIRST)
    metrics = Metrics(tmp_path)
    metrics.write(READY)
    metrics.write(JUDGE)
    names, rows = table(tmp_path)
    assert names == ["phase", "at", "step", "seconds", "asr", "norm", "judge"]
    assert [(row["at"], row["asr"], row["judge"]) for row in rows] == [
        ("0.50", "0.5", ""), ("ready", "", ""), ("judge", "", "3.5"),
    ]  # fmt: skip


def test_without_tensorboard_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="autovoice"):
        metrics = Metrics(tmp_path)
        metrics.write(FIRST)
        metrics.write(FIRST)
    assert metrics.board is None
    assert caplog.text.count("the package tensorboard is not installed") == 1
    assert not (tmp_path / "tensorboard").exists()


def test_tensorboard_is_told_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    board = SimpleNamespace(
        add_scalar=lambda *values: told.append(values),
        flush=lambda: None,
        close=lambda: told.append("closed"),
    )
    module = SimpleNamespace(SummaryWriter=lambda folder: told.append(folder) or board)
    monkeypatch.setitem(sys.modules, BOARD, module)
    metrics = Metrics(tmp_path)
    metrics.write(READY)
    metrics.write(FIRST)
    metrics.close()
    assert told == [
        str(tmp_path / "tensorboard"), ("frozen/asr", 0.5, 50), ("frozen/norm", 2.0, 50), "closed",
    ]  # fmt: skip
