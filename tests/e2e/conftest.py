"""What the end-to-end tests share: the engine, whose networks are loaded once, and real audio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autovoice import Engine, io, weights
from autovoice.types import Audio

EVAL = Path(__file__).parents[3] / "shared" / "eval"
Run = Callable[..., Any]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on the real weights, with no stored voices."""
    return Engine("cpu", data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def demo_song() -> Audio:
    """Return the demo song: 10.9 s, stereo, a voice over a band."""
    return io.read(weights.file("demo-song", "audio_example.mp3"))


@pytest.fixture(scope="session")
def evaluation() -> Callable[[str], Path]:
    """Return how to find a recording of the evaluation set."""

    def find(name: str) -> Path:
        path = EVAL / f"{name}.flac"
        if not path.is_file():
            pytest.skip("the evaluation audio is not beside the repository")
        return path

    return find


@pytest.fixture(scope="session")
def cut() -> Callable[[Audio, float, float], Audio]:
    """Return how to take the seconds from ``begin_s`` to ``end_s`` out of a recording."""

    def take(audio: Audio, begin_s: float, end_s: float) -> Audio:
        first, last = (round(at_s * audio.sample_rate_hz) for at_s in (begin_s, end_s))
        samples = np.ascontiguousarray(audio.samples[:, first:last])
        return Audio(samples, audio.sample_rate_hz, audio.metadata)

    return take


@pytest.fixture(scope="module")
def autovoice(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return how to run a command as users do; with ``--json`` its object is returned.

    Stored voices are those of the module, not the user's.
    """
    data = tmp_path_factory.mktemp("home")

    def run(*words: object) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "autovoice", *map(str, words)],
            env={**os.environ, "AUTOVOICE_DATA_DIR": str(data)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout

    return run
