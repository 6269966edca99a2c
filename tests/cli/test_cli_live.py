"""``autovoice live``: a file through a session."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autovoice import io
from autovoice.cli.main import main
from autovoice.engine import Engine
from autovoice.types import Audio

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from live_desk import live_builders
from standins import voice


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Put stand-ins in; return a recording, an output and a voice."""
    monkeypatch.setenv("AUTOVOICE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(
        "autovoice.cli.live.make_engine",
        lambda device, vram: Engine(device, vram, builders=live_builders()),
    )
    monkeypatch.setattr("autovoice.weights.status", lambda name: SimpleNamespace(state="ready"))
    tone = 0.4 * np.sin(np.arange(32_000) / 20).astype(np.float32)
    io.write(Audio(np.stack([tone, tone]), 32_000), tmp_path / "in.wav")
    voice().save(tmp_path / "tester.voice")
    return tmp_path / "in.wav", tmp_path / "out.wav", tmp_path / "tester.voice"


def run(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    told = capfd.readouterr()
    return int(leaving.value.code or 0), told.out, told.err


def test_a_file_comes_out_as_long_and_in_time(
    capfd: pytest.CaptureFixture[str], paths: Any
) -> None:
    source, output, who = paths
    code, out, _ = run(
        capfd, "live", source, "--voice", who, "-o", output, "--chunk-ms", 50, "--semitones", 0,
        "--context-ms", 300, "--json",
    )  # fmt: skip
    assert code == 0
    told = json.loads(out)
    assert (told["voice"], told["chunk_ms"], told["sample_rate_hz"]) == ("tester", 50, 32_000)
    assert told["algorithmic_ms"] == pytest.approx(50 + 1000 * told["latency_samples"] / 32_000)
    assert told["compute_p50_ms"] <= told["compute_p95_ms"] <= told["compute_p99_ms"]
    made, heard = io.read(output), io.read(source)
    assert made.samples.shape == (1, 32_000)
    assert np.abs(made.samples[0] - 0.5 * heard.mono())[2_000:-2_000].max() < 0.01


def test_people_are_told_the_latency(capfd: pytest.CaptureFixture[str], paths: Any) -> None:
    source, output, who = paths
    code, out, _ = run(capfd, "live", source, "--voice", who, "-o", output, "--semitones", 0)
    assert code == 0
    assert "latency 18" in out
    assert "chunks came late" in out


def test_bad_options_are_refused_before_the_work(
    capfd: pytest.CaptureFixture[str], paths: Any
) -> None:
    source, output, who = paths
    code, _, err = run(capfd, "live", source, "--voice", who, "-o", output, "--chunk-ms", 3)
    assert code == 2
    assert "chunk_ms" in err
    assert not output.exists()
