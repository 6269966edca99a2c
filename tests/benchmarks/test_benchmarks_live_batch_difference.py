"""What a batch changes is told row by row, also where the batch is smaller than the rest."""

from __future__ import annotations

import pytest
import torch
from benchmarks.live_batch_difference import worst


def test_the_largest_difference_of_any_row_counts() -> None:
    alone = [{"sound": torch.ones(1, 8)} for _ in range(4)]
    together = {"sound": torch.tensor([[1.01] * 8, [1.1] * 8])}
    assert worst(together, alone)["sound"] == pytest.approx(-20.0, abs=0.01)


def test_rows_beyond_those_alone_are_not_asked_for() -> None:
    alone = [{"sound": torch.ones(1, 8)}]
    together = {"sound": torch.tensor([[1.01] * 8, [2.0] * 8])}
    assert worst(together, alone)["sound"] == pytest.approx(-40.0, abs=0.01)
