"""The arithmetic of the benchmarks of memory and of many requests."""

from __future__ import annotations

import threading
import time

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
