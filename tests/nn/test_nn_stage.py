from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from autovoice.errors import ResourceError
from autovoice.nn import graphs
from autovoice.nn.graphs import Captured, GraphCache
from autovoice.nn.stage import NetworkStage


def out_of_memory() -> None:
    raise torch.cuda.OutOfMemoryError("asked for 9 GiB")


class Elsewhere(NetworkStage):
    """A stage on torch's storage-less device, which stands for a GPU that can be full."""

    def __init__(self, **options: bool) -> None:
        super().__init__(device="cpu", **options)
        self.device = torch.device("meta")


def test_network_is_taken_over_for_inference() -> None:
    stage, network = NetworkStage(), nn.Linear(2, 2)
    stage.add_network(network)
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not stage.guarded(lambda: network(torch.ones(1, 2))).requires_grad


@pytest.mark.parametrize(("mixed", "dtype"), [(False, torch.float32), (True, torch.bfloat16)])
def test_mixed_precision_is_a_switch(mixed: bool, dtype: torch.dtype) -> None:
    stage, network = NetworkStage(mixed_precision=mixed), nn.Linear(2, 2)
    stage.add_network(network)
    assert stage.guarded(lambda: network(torch.ones(1, 2))).dtype == dtype


def test_falls_back_to_the_cpu_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    stage = Elsewhere()
    network = nn.Linear(2, 2)
    stage._networks.append(network)

    def work() -> str:
        if stage.device.type != "cpu":
            out_of_memory()
        return stage.device.type

    with caplog.at_level(logging.WARNING):
        assert stage.guarded(work) == "cpu"
    assert "going on on the CPU" in caplog.text
    assert next(network.parameters()).device.type == "cpu"


def test_graphs_give_way_before_anything_else(caplog: pytest.LogCaptureFixture) -> None:
    stage, other, elsewhere = Elsewhere(), GraphCache(), GraphCache()

    def hold(cache: GraphCache, device: str) -> None:
        there = torch.empty(1, device=device)
        cache._graphs["held"] = Captured(None, [there], (there,), None)  # type: ignore[arg-type]

    hold(other, "meta")
    hold(elsewhere, "cpu")
    tries = []

    def work() -> str:
        tries.append(len(other))
        if tries[-1]:
            out_of_memory()
        return stage.device.type

    with caplog.at_level(logging.WARNING):
        assert stage.guarded(work, shrink=lambda: pytest.fail("nothing had to shrink")) == "meta"
    assert tries == [1, 0]
    assert "without graphs (asked for 9 GiB)" in caplog.text
    assert len(elsewhere) == 1


class There(torch.Tensor):
    """A tensor that says that it lies on a GPU."""

    is_cuda = True  # type: ignore[assignment]


def doubled(cache: GraphCache) -> list[float]:
    values = torch.ones(2).as_subclass(There)
    found: list[float] = cache("twice", lambda x: x * 2, values).tolist()
    return found


def test_nothing_is_captured_while_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, captured = GraphCache(), []
    monkeypatch.setattr(cache, "_captured", lambda *_: captured.append(1))
    cache.pause(torch.device("cpu"), 60.0)
    assert [doubled(cache) for _ in range(4)] == [[2.0, 2.0]] * 4
    assert not captured
    cache.pause(torch.device("cpu"), 0.0)
    doubled(cache)
    assert captured


def test_without_memory_for_a_graph_it_goes_on_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache, tries = GraphCache(), []

    def captured(*_: object) -> None:
        tries.append(1)
        out_of_memory()

    monkeypatch.setattr(cache, "_captured", captured)
    with caplog.at_level(logging.WARNING):
        assert [doubled(cache) for _ in range(4)] == [[2.0, 2.0]] * 4
    assert len(tries) == 1
    assert "no memory for a graph (asked for 9 GiB)" in caplog.text


def test_where_graphs_are_forbidden_nothing_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_FORBIDDEN", set())
    cache, captured = GraphCache(), []
    monkeypatch.setattr(cache, "_captured", lambda *_: captured.append(1))
    graphs.forbid(torch.device("cpu"))
    assert [doubled(cache) for _ in range(4)] == [[2.0, 2.0]] * 4
    assert not captured


def test_smaller_pieces_come_before_the_cpu() -> None:
    stage, sizes = Elsewhere(), [8]

    def work() -> int:
        if sizes[-1] > 2:
            out_of_memory()
        return sizes[-1]

    def shrink() -> bool:
        sizes.append(sizes[-1] // 2)
        return True

    assert stage.guarded(work, shrink=shrink) == 2
    assert sizes == [8, 4, 2]
    assert stage.device.type == "meta"


def test_without_fall_back_it_is_a_resource_error() -> None:
    stage = Elsewhere(cpu_fallback=False)
    with pytest.raises(ResourceError, match="out of memory"):
        stage.guarded(out_of_memory, shrink=lambda: False)


def test_a_kernel_without_memory_is_known_by_the_call_that_failed() -> None:
    # What LibTorch's stable ABI says when a kernel's own allocation fails; the rest it keeps.
    words = 'torch_call_dispatcher( "aten::new_empty", "", stack.data()) API call failed at ops.h'

    def work() -> None:
        raise RuntimeError(words)

    with pytest.raises(ResourceError, match="found no memory for its result"):
        Elsewhere(cpu_fallback=False).guarded(work)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")]
)
def test_a_full_cpu_is_a_resource_error(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(ResourceError, match="cpu is out of memory"):
        NetworkStage().guarded(work)


def test_other_errors_pass() -> None:
    def work() -> None:
        raise RuntimeError("sizes do not match")

    with pytest.raises(RuntimeError, match="sizes do not match"):
        NetworkStage().guarded(work, shrink=lambda: True)
