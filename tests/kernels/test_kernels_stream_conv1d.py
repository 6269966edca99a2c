"""The convolution over streams, against one convolution over all of a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU, TOLERANCE, worst
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels import stream_conv1d, switched_off
from autovoice.kernels.stream_conv1d import reference
from kernel_costs import Cost, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels" / "stream_conv1d.md"
# bfloat16 keeps eight bits.
STORED = TOLERANCE | {torch.bfloat16: 8e-3}


def drawn(
    batch: int, rows: int, channels: tuple[int, int], taps: int, dilation: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rows, weights, a state and a bias."""
    chance = torch.Generator().manual_seed(rows)
    held = (taps - 1) * dilation
    return (
        torch.randn(batch, rows, channels[0], generator=chance),
        torch.randn(taps, *channels, generator=chance) * (taps * channels[0]) ** -0.5,
        torch.randn(batch, held, channels[0], generator=chance),
        torch.randn(channels[1], generator=chance),
    )


def of(device: str) -> torch.dtype:
    return torch.float16 if device == "cuda" else torch.float32


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("taps", "dilation"), [(1, 1), (3, 1), (7, 5)])
def test_chunks_make_what_the_whole_makes(taps: int, dilation: int, device: str) -> None:
    x, weight, _, bias = drawn(3, 200, (32, 48), taps, dilation)
    x, weight = x.to(of(device)), weight.to(of(device))
    padded = F.pad(x.double().transpose(1, 2), ((taps - 1) * dilation, 0))
    wanted = F.conv1d(padded, weight.double().permute(2, 1, 0), bias.double(), dilation=dilation)
    parts, state = [], None
    on = [t.to(device) for t in (x, weight, bias)]
    for part in on[0].split([1, 40, 7, 100, 52], 1):  # some shorter than what is held
        made, state = stream_conv1d(part, on[1], state, on[2], dilation=dilation)
        assert made.shape == (3, part.shape[1], 48)
        assert made.dtype == x.dtype
        parts.append(made)
    assert worst(torch.cat(parts, 1), wanted.transpose(1, 2)) < STORED[x.dtype]
    assert state is not None
    assert torch.equal(state.cpu(), x[:, 200 - (taps - 1) * dilation :])


@pytest.mark.parametrize("device", DEVICES)
def test_a_stream_hears_nothing_of_the_others_or_of_what_comes(device: str) -> None:
    x, weight, state, bias = (t.to(device) for t in drawn(4, 50, (32, 32), 5, 2))
    x, weight, state = (t.to(of(device)) for t in (x, weight, state))
    wanted, after = stream_conv1d(x, weight, state, bias, dilation=2)
    x[1], state[1] = torch.nan, torch.nan
    x[:, 30:] = torch.nan
    found, _ = stream_conv1d(x, weight, state, bias, dilation=2)
    for item in (0, 2, 3):
        assert torch.equal(found[item, :30], wanted[item, :30])
    assert found[1].isnan().all()
    assert after.shape == (4, 8, 32)


def test_a_new_state_is_no_view_of_the_chunk() -> None:
    x, weight, state, _ = drawn(1, 20, (8, 8), 3)
    kept = stream_conv1d(x, weight, state)[1]
    x.zero_()
    assert kept.any()


def test_gradients_go_through_the_reference() -> None:
    x, weight, state, bias = drawn(1, 20, (8, 8), 3)
    weight.requires_grad_()
    with switched_off("stream_conv1d"):
        stream_conv1d(x, weight, state, bias)[0].sum().backward()
    assert weight.grad is not None


def test_a_state_of_another_length_is_refused() -> None:
    x, weight, state, bias = drawn(1, 20, (8, 8), 3)
    with pytest.raises(RuntimeError, match="found a state of 2 rows, expected 4"):
        stream_conv1d(x, weight, state, bias, dilation=2)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("batch", "rows", "channels", "taps", "dilation"),
    [
        (1, 1, (8, 8), 1, 1), (1, 40, (32, 32), 3, 1), (2, 41, (40, 72), 7, 3),
        (3, 601, (512, 512), 3, 1), (64, 100, (256, 256), 7, 1), (256, 40, (128, 128), 11, 5),
        (1, 40, (512, 512), 7, 1), (17, 333, (64, 200), 2, 30), (300, 5, (32, 512), 3, 9),
    ],
)  # fmt: skip
def test_the_kernel_says_what_the_reference_says(
    batch: int, rows: int, channels: tuple[int, int], taps: int, dilation: int, dtype: Any
) -> None:
    x, weight, state, bias = (t.cuda() for t in drawn(batch, rows, channels, taps, dilation))
    x, weight, state = (t.to(dtype) for t in (x, weight, state))
    for given in (bias, None):
        found, after = stream_conv1d(x, weight, state, given, dilation=dilation)
        wanted, kept = reference(x, weight, state, given, dilation)
        assert found.dtype == dtype
        assert worst(found, wanted) < STORED[dtype]
        assert torch.equal(after, kept)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_slices_another_stream_and_a_graph_give_the_same() -> None:
    x, weight, state, bias = (t.cuda() for t in drawn(6, 90, (64, 128), 5, 2))
    x, weight, state = x.half(), weight.half(), state.half()
    wanted = stream_conv1d(x, weight, state, bias, dilation=2)
    longer = F.pad(x, (0, 0, 5, 10))[:, 5:-10]
    apart = torch.stack([x, x], 3)[..., 1]
    for view in (longer, apart):
        assert not view.is_contiguous()
        found = stream_conv1d(view, weight, state, bias, dilation=2)
        assert all(map(torch.equal, found, wanted))
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        beside = stream_conv1d(x, weight, state, bias, dilation=2)
    torch.cuda.current_stream().wait_stream(stream)
    assert all(map(torch.equal, beside, wanted))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = stream_conv1d(x, weight, state, bias, dilation=2)
    for _ in range(3):
        graph.replay()
        assert all(map(torch.equal, found, wanted))


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_a_graph_carries_a_stream_for_ten_minutes_without_drift() -> None:
    x, weight, state, bias = (t.cuda() for t in drawn(2, 40, (32, 32), 3, 4))
    x, weight, held = x.half(), weight.half(), torch.zeros_like(state).half()
    stream_conv1d(x, weight, held, bias, dilation=4)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made, after = stream_conv1d(x, weight, held, bias, dilation=4)
        held.copy_(after)
    chance = torch.Generator(device="cuda").manual_seed(1)
    before = torch.zeros_like(x)
    for _ in range(600):  # of a second each
        before.copy_(x)
        x.copy_(torch.randn(x.shape, generator=chance, device="cuda"))
        graph.replay()
    wanted, kept = reference(x, weight, before[:, -8:], bias, 4)
    assert worst(made, wanted) < STORED[torch.float16]
    assert torch.equal(held, kept)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU or torch.cuda.device_count() < 2, reason="no second GPU")
def test_it_runs_on_the_device_of_its_tensors() -> None:
    x, weight, state, bias = (t.to("cuda:1") for t in drawn(2, 40, (32, 64), 3))
    x, weight, state = x.half(), weight.half(), state.half()
    found, _ = stream_conv1d(x, weight, state, bias)
    assert found.device.index == 1
    assert worst(found, reference(x, weight, state, bias, 1)[0]) < STORED[torch.float16]


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_what_does_not_fit_is_refused() -> None:
    x, weight, state, bias = (t.cuda() for t in drawn(2, 20, (32, 32), 3))
    x, weight, state = x.half(), weight.half(), state.half()
    with pytest.raises(RuntimeError, match=r"found a state \[2, 2, 32\], expected \[2, 4, 32\]"):
        stream_conv1d(x, weight, state, bias, dilation=2)
    with pytest.raises(RuntimeError, match="x has 16 channels, weight 32"):
        stream_conv1d(x[..., :16].contiguous(), weight, state, bias)
    with pytest.raises(RuntimeError, match="state has dtype"):
        stream_conv1d(x, weight, state.float(), bias)
    with pytest.raises(RuntimeError, match="bias has 31 values, expected 32"):
        stream_conv1d(x, weight, state, bias[1:])
    with pytest.raises(RuntimeError, match="without rows"):
        stream_conv1d(x[:, :0], weight, state, bias)


@pytest.mark.parametrize("device", DEVICES)
def test_what_the_kernel_has_no_way_for_is_left_to_the_reference(device: str) -> None:
    for channels, dtype in (((30, 32), torch.float16), ((32, 32), torch.float32)):
        x, weight, state, bias = (t.to(device) for t in drawn(2, 20, channels, 3))
        x, weight, state = x.to(dtype), weight.to(dtype), state.to(dtype)
        wanted = reference(x, weight, state, bias, 1)
        assert all(map(torch.equal, stream_conv1d(x, weight, state, bias), wanted))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("taps", "biased"), [(1, True), (3, False)])
def test_opcheck(device: str, taps: int, biased: bool) -> None:
    x, weight, state, bias = (t.to(device) for t in drawn(2, 30, (32, 64), taps))
    x, weight, state = (t.to(of(device)) for t in (x, weight, state))
    arguments = (x, weight, state, bias if biased else None, 1)
    torch.library.opcheck(torch.ops.autovoice.stream_conv1d.default, arguments)


def test_the_page_says_what_a_call_costs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for channels, taps, rows in ((512, 7, 40), (128, 7, 600)):
        for batch in (1, 64):
            held = taps - 1
            moved = 2 * channels * batch * (2 * rows + 2 * held) + 2 * taps * channels**2
            moved += 4 * channels
            cost = Cost(1, 2.0 * batch * rows * channels**2 * taps, moved)
            assert f"| {channels} x {rows} {row('style_conv1d', batch, cost)}" in text
