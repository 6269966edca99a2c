"""The arithmetic of the benchmarks of memory and of many requests."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import concurrency, vram


def test_differences_are_told_at_the_seams_and_over_all() -> None:
    whole = np.ones(24_000, np.float32)
    other = whole.copy()
    other[11_000:11_100] += 0.1
    near = vram.differences(whole, other, [0.46], 24_000)
    assert near["difference_db"] == pytest.approx(10 * np.log10(0.01 * 100 / 24_000), abs=0.1)
    assert near["seams_db"] == pytest.approx(10 * np.log10(0.01 * 100 / 2_400), abs=0.1)
    far = vram.differences(whole, other, [0.1], 24_000)
    assert far["seams_db"] == -200.0
    assert vram.differences(whole, other, [], 24_000)["seams_db"] is None


def test_every_stage_of_the_table_has_a_pass_to_measure() -> None:
    passes = vram._passes(1.0, "cpu")
    assert set(passes) == {"Spleeter", "SwiftF0Tracker", "ContentEncoder", "Converter", "Vocoder"}


def test_requests_begin_at_the_same_moment() -> None:
    inside, most = [0], [0]
    lock = threading.Lock()

    def one(number: int) -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.05 if number else 0.1)
        with lock:
            inside[0] -= 1

    taken, wall_s = concurrency.together(one, 5)
    assert most[0] == 5
    assert len(taken) == 5
    assert max(taken) == taken[0]
    assert max(taken) <= wall_s < 1.0


def test_an_error_of_a_request_is_an_error_of_the_benchmark() -> None:
    def one(number: int) -> None:
        if number == 1:
            raise ValueError("number one")

    with pytest.raises(ValueError, match="number one"):
        concurrency.together(one, 3)


def test_percentiles_are_milliseconds() -> None:
    found = concurrency.percentiles_ms([0.001 * n for n in range(101)])
    assert found == {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "worst_ms": 100.0}


def test_rounds_follow_one_another() -> None:
    asked: list[int] = []
    taken, wall_s = concurrency.rounds(asked.append, 3, 2)
    assert sorted(asked) == [0, 0, 1, 1, 2, 2]
    assert sorted(asked[:3]) == [0, 1, 2]
    assert len(taken) == 6
    assert wall_s > 0
    assert concurrency.rounds(asked.append, 3, 0) == ([], 0.0)


def test_the_first_round_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first call of each shape is slow here, as where graphs are captured."""
    warmed: list[tuple[object, ...]] = []

    class Slow:
        device, choice, _batcher = "cuda:9", SimpleNamespace(reason="made up"), SimpleNamespace()

        def __init__(self, *_: object, **__: object) -> None:
            self.calls = 0
            self._batcher.tally = SimpleNamespace(batches=1)

        def voice(self, name: str) -> str:
            return name

        def warm_up(self, seconds: object, *, most: int) -> dict[str, float]:
            warmed.append((seconds, most))
            return {"2 x 1 s": 0.5}

        def convert(self, *_: object, **__: object) -> None:
            self.calls += 1
            time.sleep(0.2 if self.calls <= 3 else 0.001)

    monkeypatch.setattr(concurrency, "Engine", Slow)
    monkeypatch.setattr(concurrency, "_peak", lambda device: {})
    concurrency.main(["--requests", "2", "--rounds", "2"])
    found = json.loads(capsys.readouterr().out)
    assert warmed == [((1.0,), 2)]
    assert found["warm_up"]["rounds"] == 1
    assert found["warm_up"]["sizes_s"] == {"2 x 1 s": 0.5}
    assert found["warm_up"]["p50_ms"] > 150
    assert found["p99_ms"] < 150
    concurrency.main(["--requests", "2", "--rounds", "1", "--warm-up", "0"])
    found = json.loads(capsys.readouterr().out)
    assert len(warmed) == 1
    assert found["warm_up"] == {"rounds": 0, "load_s": found["warm_up"]["load_s"], "sizes_s": {}}
