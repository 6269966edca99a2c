from __future__ import annotations

import numpy as np
import torch

from autovoice.nn.transfer import fetched, sent, stacked

CPU = torch.device("cpu")


def test_rows_are_filled_up_and_come_back() -> None:
    rows = [np.ones((2, 3), np.float32), np.full((2, 5), 2, np.float32)]
    tensor = stacked(rows, 5, CPU)
    assert tensor.shape == (2, 2, 5)
    assert tensor[0, :, 3:].eq(0).all()
    first, second = fetched(tensor, tensor.sum())
    np.testing.assert_array_equal(first[1], rows[1])
    assert second == 26


def test_what_comes_back_has_its_own_memory() -> None:
    tensor = stacked([np.ones(4, np.float32)], 4, CPU)
    (array,) = fetched(tensor)
    tensor.zero_()
    assert array.all()


def test_numbers_are_sent() -> None:
    assert torch.equal(sent([3, 4], CPU, torch.int64), torch.tensor([3, 4]))
