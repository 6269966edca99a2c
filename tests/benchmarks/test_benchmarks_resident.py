"""The benchmark of the resident stages runs on the CPU too, and counts what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice.nn.graphs import GraphCache
from benchmarks import resident, resident_counts, resident_equal


def test_ops_and_waits_are_counted_by_stage() -> None:
    ops = resident_counts._Ops()
    with resident_counts._fetches_heard(ops), ops:
        with ops.enter("first"):
            made = torch.ones(4) + 1
            made.view(2, 2)
            GraphCache().several("work", lambda values: (values * 2 + 1,), made)
        with ops.enter("second"):
            made.sum().item()
            made.cpu()
    assert ops.found["first"] == {"launches": 2, "graphs": 1, "in graphs": 2, "waits": 0}
    assert ops.found["second"] == {"launches": 1, "waits": 2}


def test_differences_are_told_in_db() -> None:
    wave = np.ones(10, np.float32)
    assert resident_equal.difference_db(wave * 1.1, wave) == pytest.approx(-20, abs=0.1)


@pytest.mark.e2e
def test_both_ways_are_measured_on_the_cpu() -> None:
    found = resident.main(["--device", "cpu", "--runs", "1", "--seconds", "0.7"])
    assert found["resident"]["ms"].keys() >= {"hear", "sing", "mix", "total"}
    assert found["plain"]["ms"].keys() >= {"pitch", "loudness", "words", "vocode", "mix"}
    assert all(count["waits"] <= 1 for count in found["resident"]["counts"].values())
    assert found["equal"]["mix_db"] < -110
    assert found["equal"]["hear"]["cents"] < 0.2
    assert found["equal"]["sing"]["held"]
