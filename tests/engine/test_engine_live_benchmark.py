"""The benchmark of live streams tells what it says it tells."""

from __future__ import annotations

from pathlib import Path

from benchmarks.live import measure, melody
from live_desk import live_builders
from standins import voice

from autovoice.engine import Engine


def test_streams_are_timed_side_by_side(tmp_path: Path) -> None:
    engine = Engine("cpu", data_dir=tmp_path, builders=live_builders())
    found = measure(engine, melody(0.9), 3, voice(), 0.2, semitones=0, context_ms=300.0)
    assert found["streams"] == 3
    assert found["everything"]["chunks"] == 3 * 8
    assert found["chunks"] == 3 * 6
    assert found["chunk_latency_p50_ms"] <= found["chunk_latency_p99_ms"]
    assert 0 <= found["late_share"] <= 1
    assert found["processor_ms_per_chunk"] > 0
