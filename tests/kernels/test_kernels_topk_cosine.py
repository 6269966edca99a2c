"""The nearest by cosine, against a matrix of all cosines in double precision."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels import inverse_norms, switched_off, topk_cosine
from autovoice.kernels.topk_cosine import reference
from kernel_costs import Cost, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels" / "topk_cosine.md"
# Of a cosine; tensor cores cut off what they add up in float32 where other units round.
TOLERANCE, CUT_OFF = 2e-6, 1e-5


def vectors(count: int, width: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    """Return vectors of very different length, some near one another."""
    chance = torch.Generator().manual_seed(seed)
    made = torch.randn(count, width, generator=chance)
    made[count // 2 :] = made[: count - count // 2] + 0.3 * made[count // 2 :]
    return (made * torch.logspace(-1, 1, max(count, 1))[:count, None]).to(dtype)


def check(
    found: tuple[Tensor, Tensor],
    queries: Tensor,
    keys: Tensor,
    k: int,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare with every cosine: each is that of its key, and no better key was left out."""
    cosine, index = (part.cpu() for part in found)
    assert cosine.dtype == torch.float32
    assert index.dtype == torch.int64
    assert cosine.shape == index.shape == (len(queries), k)
    near, far = (F.normalize(part.cpu().double(), dim=1) for part in (queries, keys))
    everything = near @ far.T
    best = everything.topk(k, dim=1).values
    named = everything.gather(1, index)
    torch.testing.assert_close(cosine.double(), best, atol=tolerance, rtol=0)
    torch.testing.assert_close(cosine.double(), named, atol=tolerance, rtol=0)
    assert all(len(set(places.tolist())) == k for places in index)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("n", "m", "d", "k"), [(1, 1, 8, 1), (5, 16, 40, 16), (67, 300, 512, 4)])
def test_the_best_are_found_on_every_device(n: int, m: int, d: int, k: int, device: str) -> None:
    queries, keys = vectors(n, d), vectors(m, d, seed=2)
    check(topk_cosine(queries.to(device), keys.to(device), k), queries, keys, k)


def test_the_reference_goes_through_many_queries_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module(reference.__module__), "_MOST_SCORES", 100)
    queries, keys = vectors(31, 24), vectors(40, 24, seed=2)
    check(topk_cosine(queries, keys, 3), queries, keys, 3)


@pytest.mark.parametrize("device", DEVICES)
def test_a_scale_found_before_changes_nothing(device: str) -> None:
    queries, keys = vectors(9, 64).to(device), vectors(50, 64, seed=2).to(device)
    scale = inverse_norms(keys)
    torch.testing.assert_close(scale * keys.norm(dim=1), torch.ones(50, device=device))
    for dtype in (torch.float32, torch.float16):
        pair = queries.to(dtype), keys.to(dtype)
        check(topk_cosine(*pair, 5, key_scale=inverse_norms(pair[1])), *pair, 5, CUT_OFF)


@pytest.mark.parametrize("device", DEVICES)
def test_zeros_are_far_from_everything_and_no_queries_find_nothing(device: str) -> None:
    dtype = torch.float32 if device == "cpu" else torch.float16
    keys = torch.zeros(3, 16, dtype=dtype, device=device)
    keys[1, 0] = 5.0
    queries = torch.zeros(2, 16, dtype=dtype, device=device)
    queries[0, :2] = torch.tensor([-1.0, 1.0])
    cosine, index = topk_cosine(queries, keys, 3)
    assert not cosine[1].any()
    assert index[0, 2] == 1
    wanted = torch.tensor([0.0, 0.0, -(0.5**0.5)])
    torch.testing.assert_close(cosine[0].cpu(), wanted, atol=CUT_OFF, rtol=0)
    none, nowhere = topk_cosine(queries[:0], keys, 2)
    assert none.shape == nowhere.shape == (0, 2)


@pytest.mark.parametrize("device", DEVICES)
def test_gradients_go_through_the_reference(device: str) -> None:
    queries = vectors(3, 16).half().to(device).requires_grad_()
    keys = vectors(9, 16, seed=2).half().to(device)
    if device != "cpu":
        topk_cosine(queries, keys, 2)[0].sum().backward()
        assert queries.grad is not None
    with switched_off("topk_cosine"):
        found = topk_cosine(queries, keys, 2)[0]
    assert found.requires_grad


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("n", "m", "d", "k"),
    [
        (1, 1, 8, 1), (3, 16, 8, 16), (50, 127, 40, 1), (64, 128, 512, 4), (65, 129, 768, 16),
        (257, 1_001, 512, 8), (50, 20_000, 512, 4), (3_001, 1_500, 768, 16), (2, 40_001, 520, 3),
    ],
)  # fmt: skip
def test_the_kernel_finds_the_best(n: int, m: int, d: int, k: int, dtype: torch.dtype) -> None:
    queries, keys = vectors(n, d, dtype), vectors(m, d, dtype, seed=2)
    check(topk_cosine(queries.cuda(), keys.cuda(), k), queries, keys, k, CUT_OFF)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("rising", [True, False])
def test_keys_in_order_of_likeness_are_found_in_order(rising: bool) -> None:
    angles = torch.linspace(0.0, 1.5, 3_000).sort(descending=rising).values
    keys = torch.zeros(3_000, 16)
    keys[:, 0], keys[:, 1] = angles.cos(), angles.sin()
    queries = F.pad(torch.ones(70, 1), (0, 15))
    pair = queries.half(), keys.half()
    check(topk_cosine(pair[0].cuda(), pair[1].cuda(), 16), *pair, 16, CUT_OFF)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("n", [2, 300])
def test_of_equal_keys_the_first_are_taken(n: int) -> None:
    keys = vectors(7, 64).half().repeat(300, 1).cuda()  # each 300 times, 7 apart
    queries = keys[:7].repeat(n, 1)[:n]
    cosine, index = topk_cosine(queries, keys, 4)
    first = torch.arange(n)[:, None] % 7 + 7 * torch.arange(4)
    assert torch.equal(index.cpu(), first)
    torch.testing.assert_close(cosine.cpu(), torch.ones(n, 4), atol=CUT_OFF, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_slices_another_stream_and_a_graph_give_the_same() -> None:
    queries, keys = vectors(70, 256).half().cuda(), vectors(2_000, 256, seed=2).half().cuda()
    wanted = topk_cosine(queries[3:], keys[5:], 6)
    wide = torch.cat([queries, queries], 1)[3:, 256:], torch.stack([keys, keys], 1)[5:, 1]
    assert not wide[1].is_contiguous()
    assert all(map(torch.equal, topk_cosine(*wide, 6), wanted))
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        beside = topk_cosine(queries[3:], keys[5:], 6)
    torch.cuda.current_stream().wait_stream(stream)
    assert all(map(torch.equal, beside, wanted))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = topk_cosine(queries[3:], keys[5:], 6)
    for _ in range(3):
        graph.replay()
        assert all(map(torch.equal, found, wanted))


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU or torch.cuda.device_count() < 2, reason="no second GPU")
def test_it_runs_on_the_device_of_its_tensors() -> None:
    queries, keys = vectors(70, 64).half().to("cuda:1"), vectors(300, 64).half().to("cuda:1")
    found = topk_cosine(queries, keys, 3)
    assert found[0].device.index == 1
    check(found, queries, keys, 3, CUT_OFF)


@pytest.mark.parametrize("device", DEVICES)
def test_what_the_kernel_has_no_way_for_is_left_to_the_reference(device: str) -> None:
    for queries, keys, k in (
        (vectors(4, 30).half(), vectors(40, 30).half(), 3),  # not a multiple of 8
        (vectors(4, 32).half(), vectors(40, 32).half(), 17),
        (vectors(4, 32).double(), vectors(40, 32).double(), 3),
    ):
        there = queries.to(device), keys.to(device)
        check(topk_cosine(*there, k), queries, keys, k)
        assert torch.equal(topk_cosine(*there, k)[0], reference(*there, None, k)[0])


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_what_does_not_fit_is_refused() -> None:
    queries, keys = vectors(4, 32).half().cuda(), vectors(5, 32).half().cuda()
    with pytest.raises(RuntimeError, match="found k = 6, expected 1 to 16"):
        topk_cosine(queries, keys, 6)
    with pytest.raises(RuntimeError, match="expected queries"):
        topk_cosine(queries, keys[:, :16], 2)
    with pytest.raises(RuntimeError, match="key_scale has 4 values, expected 5"):
        topk_cosine(queries, keys, 2, key_scale=torch.ones(4).cuda())
    odd = torch.zeros(1 + 4 * 32).half().cuda()[1:].view(4, 32)
    with pytest.raises(RuntimeError, match="multiple of 16 bytes"):
        topk_cosine(odd, keys, 2)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scaled", [False, True])
def test_opcheck(device: str, scaled: bool) -> None:
    dtype = torch.float32 if device == "cpu" else torch.float16
    queries, keys = vectors(20, 64, dtype).to(device), vectors(90, 64, dtype, seed=2).to(device)
    scale = inverse_norms(keys) if scaled else None
    torch.library.opcheck(torch.ops.autovoice.topk_cosine.default, (queries, keys, scale, 4))


def test_the_page_says_what_a_call_costs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for batch, n in ((1, 50), (64, 3_200)):
        for m in (1_500, 20_000):
            moved = 2 * 512 * (n + m) + 4 * m + 12 * 4 * n
            cost = Cost(1, 2.0 * n * m * 512, moved)
            assert f"| {m:,} {row('style_conv1d', batch, cost)}" in text
