from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tests.bus import Bus

from autovoice.nn import residence, transfer
from autovoice.nn.graphs import GraphCache
from autovoice.nn.transfer import Numbers, Rows, fetched, packed, stacked, through, uploaded

CPU = torch.device("cpu")


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    with Bus.between(monkeypatch) as made:
        yield made


def parts() -> tuple[Rows, Numbers, Rows, Numbers]:
    rows = [np.ones((2, 3), np.float32), np.full((2, 5), 2, np.float32)]
    wide = Rows([np.arange(7, dtype=np.float32)], 9)
    return Rows(rows, 5), Numbers([3, 4, 5], torch.int64), wide, Numbers([0.5], torch.float64)


def check(sound: torch.Tensor, counts: torch.Tensor, wide: torch.Tensor, x: torch.Tensor) -> None:
    assert sound.shape == (2, 2, 5)
    assert sound[0, :, 3:].eq(0).all()
    assert sound[1].eq(2).all()
    assert counts.tolist() == [3, 4, 5]
    assert wide.tolist() == [[0, 1, 2, 3, 4, 5, 6, 0, 0]]
    assert x.dtype == torch.float64
    assert x.item() == 0.5


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


def test_on_the_cpu_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_up", "_down", "packed"):
        monkeypatch.setattr(transfer, name, lambda *_: pytest.fail("copied"))
    check(*uploaded(CPU, *parts()))
    done = through(GraphCache(), "twice", lambda *x: (x[0] * 2, x[1]), CPU, *parts())
    assert done.arrays()[0].sum() == 52


def test_all_that_a_pass_needs_goes_up_in_one_copy(bus: Bus) -> None:
    check(*uploaded(CPU, *parts()))
    assert (bus.up, bus.down) == (1, 0)


def test_all_that_a_pass_leaves_comes_down_in_one_copy(bus: Bus) -> None:
    graphs = GraphCache()

    def work(sound, counts, wide, x):
        check(sound, counts, wide, x)
        return sound * 2, counts + 1, x * wide.double().sum(), sound.sum()

    for _ in range(2):
        done = through(graphs, "work", work, CPU, *parts())
        sound, counts, product, total = done.arrays()
        assert sound.sum() == 52
        assert (counts.dtype, counts.tolist()) == (np.int64, [4, 5, 6])
        assert (product.dtype, product.tolist()) == (np.float64, [10.5])
        assert (total.shape, total) == ((), 26)
    assert (bus.up, bus.down) == (2, 2)
    assert torch.equal(done.tensors[0], torch.from_numpy(sound))


def test_results_lie_as_they_did_when_a_graph_is_replayed(bus: Bus) -> None:
    class Replaying(GraphCache):
        """Runs work once for a name, then does only what its kernels did."""

        ran = 0

        def several(self, name, work, *tensors):
            if name not in self.results:
                self.ran += 1
                return work(*tensors)
            first, *_ = (place.of(tensors[0]) for place in name[1])
            return (packed((first * 2,))[0],)

    graphs = Replaying()
    for level in (1, 3):
        rows = Rows([np.full(4, level, np.float32)], 4)
        done = through(graphs, "twice", lambda x: (x * 2,), CPU, rows)
        np.testing.assert_array_equal(done.arrays()[0], [[2 * level] * 4])
    assert graphs.ran == 1


def test_what_is_not_of_4_or_8_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found torch.float16, expected 4 or 8 bytes"):
        packed([torch.zeros(3, dtype=torch.float16)])


def test_what_lies_there_does_not_go_up(bus: Bus) -> None:
    array = np.arange(3, dtype=np.float32)
    residence.keep(array, torch.arange(3.0) + 10)  # other values, to tell which is taken
    sound, counts = uploaded(CPU, Rows([array], 5), Numbers([7], torch.int64))
    assert sound.tolist() == [[10, 11, 12, 0, 0]]
    assert counts.tolist() == [7]
    uploaded(CPU, Rows([array], 3))
    assert bus.up == 1
    both = uploaded(CPU, Rows([array, array.copy()], 3))[0]
    assert both.tolist() == [[0, 1, 2], [0, 1, 2]], "one of the rows is not there"
    done = through(GraphCache(), "sum", lambda x: (x.sum(),), CPU, Rows([array], 3))
    assert done.arrays()[0] == 33
    residence.release(array)


def test_what_nobody_holds_is_let_go_of() -> None:
    kept = residence.Residence()
    array = np.zeros(4, np.float32)
    kept.keep(array, torch.zeros(4))
    assert kept.of(array, CPU) is not None
    assert kept.of(array, torch.device("meta")) is None
    assert kept.of(np.zeros(4, np.float32), CPU) is None
    del array
    gc.collect()
    assert len(kept) == 0


def test_only_so_much_is_kept() -> None:
    kept = residence.Residence(most_bytes=40)
    arrays = [np.zeros(4, np.float32) for _ in range(3)]
    for array in arrays:
        kept.keep(array, torch.zeros(4))
    assert [kept.of(array, CPU) is not None for array in arrays] == [False, True, True]
    kept.keep(arrays[0], torch.zeros(400))
    assert kept.of(arrays[0], CPU) is None
    kept.keep(arrays[1], torch.ones(4))
    assert kept.of(arrays[2], CPU) is not None
    assert len(kept) == 2
