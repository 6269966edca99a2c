"""The whole engine with its own networks: what runs beside a conversion does not change it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from autovoice import io, weights
from autovoice.engine import Engine
from autovoice.types import Audio

pytestmark = pytest.mark.e2e
VOICES = ("kumo", "alpha", "kumo")


def _cuts() -> list[Audio]:
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    rate = song.sample_rate_hz
    cuts = (song.samples[:, at * rate : (at + 1) * rate] for at in (2, 3, 4))
    return [Audio(np.ascontiguousarray(cut), rate) for cut in cuts]


def _both_ways(folder: Path, *, separate: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the new vocals made one after another and at once, ``[T]`` each."""
    cuts = _cuts()
    engine = Engine("cpu", data_dir=folder, max_concurrent=3)

    def one(number: int) -> np.ndarray:
        made = engine.convert(
            cuts[number], VOICES[number], semitones=5, seed=number, separate=separate
        )
        return made.stems.converted.mono()

    alone = [one(number) for number in range(3)]
    jobs = engine._batcher.tally.jobs
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(one, range(3)))
    assert engine._batcher.tally.jobs == 2 * jobs
    assert engine._batcher.tally.largest > 1
    return list(zip(at_once, alone, strict=True))


def _db(made: np.ndarray, alone: np.ndarray) -> float:
    error = np.mean(np.square(made - alone, dtype=np.float64))
    return float(10 * np.log10(error / np.mean(np.square(alone, dtype=np.float64)) + 1e-20))


def test_three_at_once_sound_as_one_after_another(tmp_path: Path) -> None:
    for made, alone in _both_ways(tmp_path, separate=False):
        assert _db(made, alone) < -100  # measured: -113 and less


def test_with_a_separator_only_phases_drift(tmp_path: Path) -> None:
    """Rounding of 1e-7 in the vocals is 0.005 cents in the pitch, which phases add up."""
    for made, alone in _both_ways(tmp_path, separate=True):
        assert _db(made, alone) < -45  # measured: -50 and less
