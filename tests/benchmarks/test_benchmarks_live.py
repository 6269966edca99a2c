"""The live benchmark counts what is late."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autovoice.engine import Engine
from benchmarks import live

sys.path.append(str(Path(__file__).parents[1] / "engine"))
from live_desk import live_builders
from standins import voice


def test_sessions_side_by_side_are_measured(tmp_path: Path) -> None:
    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders())
    sound = live.melody(1.0)
    assert 0.05 < abs(sound).max() < 1
    options = {"semitones": 0, "context_ms": 300, "lookahead_ms": 20}
    found = live.measure(engine, sound, 2, voice(), 0.2, chunk_ms=200, **options)  # type: ignore[arg-type]
    assert (found["streams"], found["chunks"], found["everything"]["chunks"]) == (2, 6, 8)
    assert 0 < found["chunk_latency_p50_ms"] <= found["chunk_latency_p99_ms"]
    assert found["algorithmic_ms"] == pytest.approx(222.7, abs=0.1)
    assert found["underruns"] == 0
