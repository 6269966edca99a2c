"""Two GPUs with the real networks: songs are spread over them, and sound as on one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from autovoice import io, weights
from autovoice.engine import EnginePool
from autovoice.types import Audio

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() or torch.cuda.device_count() < 2, reason="no second GPU"
    ),
]
SONGS = 8
# Rounding of the vocals moves the phases, see test_engine_concurrent_e2e.py.
MOST_DB = -40.0


def _cuts() -> list[Audio]:
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    rate = song.sample_rate_hz
    cuts = (song.samples[:, at * rate : (at + 2) * rate] for at in (2, 4))
    return [Audio(np.ascontiguousarray(cut), rate) for cut in cuts]


def _db(made: np.ndarray, wanted: np.ndarray) -> float:
    error = np.mean(np.square(made - wanted, dtype=np.float64))
    return float(10 * np.log10(error / np.mean(np.square(wanted, dtype=np.float64)) + 1e-20))


def test_songs_on_two_gpus_at_once_sound_as_on_one(tmp_path: Path) -> None:
    cuts = _cuts()
    pool = EnginePool(["cuda:0", "cuda:1"], data_dir=tmp_path)

    def vocal(number: int, where: object = pool) -> tuple[str, np.ndarray]:
        made = where.convert(  # type: ignore[attr-defined]
            cuts[number % 2], "kumo", semitones=5, seed=number % 2, separate=False
        )
        return made.device, made.stems.converted.mono()

    alone = [vocal(number, pool.engines[0]) for number in range(2)]
    with ThreadPoolExecutor(SONGS) as threads:
        at_once = list(threads.map(vocal, range(SONGS)))
    assert {device for device, _ in at_once} == {"cuda:0", "cuda:1"}
    for number, (_, made) in enumerate(at_once):
        assert _db(made, alone[number % 2][1]) < MOST_DB


def test_speech_and_live_sound_work_on_the_second(tmp_path: Path) -> None:
    pool = EnginePool(["cuda:0", "cuda:1"], data_dir=tmp_path)
    first, second = (
        engine.speak("Two of them, side by side.", "kumo", seed=3) for engine in pool.engines
    )
    assert second.device == "cuda:1"
    assert first.samples.shape == second.samples.shape
    sound = _cuts()[0]
    made = []
    for engine in pool.engines:
        with engine.session("kumo", sample_rate_hz=sound.sample_rate_hz, semitones=5) as session:
            made.append(session.convert_all(sound.mono()))
    assert np.sqrt(np.mean(made[0] ** 2)) > 0.01
    assert _db(made[1], made[0]) < MOST_DB
