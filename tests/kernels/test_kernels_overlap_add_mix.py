"""Windows to the finished sound, against what the chunks and the mixer do today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU, worst
from torch import Tensor
from torch.nn import functional as F

from autovoice.engine import chunks
from autovoice.kernels import overlap_add_mix, switched_off
from kernel_costs import Cost, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "kernels" / "overlap_add_mix.md"
TOLERANCE = 2e-6


def call(
    length: int, *, batch: int = 2, channels: int = 2, count: int = 3, dtype: Any = torch.float32
) -> dict[str, Any]:
    """Return a call with windows that overlap, the first and the last beyond the sound's ends."""
    chance = torch.Generator().manual_seed(length)
    size = length // max(count - 1, 1) + 90
    edges = [round(length * part / count) for part in range(count + 1)]
    places = [
        [edges[i] - 37 - i, edges[i] if i else -9, edges[i + 1]] for i in range(count)
    ]  # the first counts from before the sound
    fades = [[11.5 if i else 0.0, 11.5 if i < count - 1 else 0.0] for i in range(count)]
    return {
        "windows": torch.randn(batch, count, size, generator=chance).to(dtype),
        "places": torch.tensor(places).repeat(batch, 1, 1),
        "fades": torch.tensor(fades).repeat(batch, 1, 1),
        "gains": torch.rand(batch, channels, length // 100 + 2, generator=chance),
        "backing": torch.randn(batch, channels, length, generator=chance).to(dtype),
        "step_samples": 100,
        "offset_samples": 17,
    }


def on(device: str, at: dict[str, Any]) -> dict[str, Any]:
    return {k: v.to(device) if torch.is_tensor(v) else v for k, v in at.items()}


@pytest.mark.parametrize("device", DEVICES)
def test_windows_blend_as_chunks_do(device: str) -> None:
    ticks, per_tick, chance = 47, 2_400, np.random.default_rng(4)
    plan = chunks.plan(ticks, longest=12, context=3, crossfade=0.7)
    assert len(plan) > 3
    size = max(chunk.right - chunk.left for chunk in plan) * per_tick
    windows = np.zeros((1, len(plan), size), np.float32)
    wanted = np.zeros(ticks * per_tick, np.float32)
    for i, chunk in enumerate(plan):
        weight = chunks.window(chunk, per_tick)
        windows[0, i, : len(weight)] = chance.standard_normal(len(weight))
        wanted[chunk.left * per_tick : chunk.right * per_tick] += (
            weight * windows[0, i, : len(weight)]
        )
    places = [[c.left * per_tick, c.start * per_tick, c.stop * per_tick] for c in plan]
    fades = [[c.fade_in * per_tick, c.fade_out * per_tick] for c in plan]
    tensors = (
        torch.from_numpy(windows), torch.tensor([places]), torch.tensor([fades]),
        torch.ones(1, 1, 1), torch.zeros(1, 1, len(wanted)),
    )  # fmt: skip
    mix, alone = overlap_add_mix(*(t.to(device) for t in tensors), step_samples=per_tick)[0, :, 0]
    assert torch.equal(mix, alone)
    assert worst(alone, torch.from_numpy(wanted)) < TOLERANCE


@pytest.mark.parametrize("device", DEVICES)
def test_a_whole_vocal_is_placed_as_the_mixer_places_it(device: str) -> None:
    step, steps, chance = 441, 9, torch.Generator().manual_seed(2)
    length = (steps + 2) * step
    mono = torch.randn(2, length, generator=chance)
    backing = torch.randn(2, 2, length, generator=chance)
    gains = torch.rand(2, 2, steps + 4, generator=chance)
    lines = F.interpolate(gains, scale_factor=step, mode="linear", align_corners=False)
    vocal = mono[:, None] * lines[..., step:-step]
    wanted = torch.stack([vocal + backing, vocal], 1)
    whole = torch.tensor([0, 0, length]).repeat(2, 1, 1)
    tensors = (mono[:, None], whole, torch.zeros(2, 1, 2), gains, backing)
    tensors = tuple(tensor.to(device) for tensor in tensors)
    numbers = {"step_samples": step, "offset_samples": step}
    # PyTorch finds its places along the lines in single precision.
    assert worst(overlap_add_mix(*tensors, **numbers), wanted) < 1e-5
    side_by_side = overlap_add_mix(*tensors, **numbers, interleaved=True)
    assert side_by_side.shape == (2, 2, length, 2)
    assert side_by_side.is_contiguous()
    assert worst(side_by_side.transpose(2, 3), wanted) < 1e-5


@pytest.mark.parametrize("device", DEVICES)
def test_what_counts_nowhere_is_not_read(device: str) -> None:
    at = on(device, call(500))
    wanted = overlap_add_mix(**at)
    at["windows"][:, 0, :20] = torch.nan  # before the sound
    at["windows"][:, 2, :5] = torch.inf  # before its blend begins
    assert torch.equal(overlap_add_mix(**at), wanted)
    at["places"][:, 1, 2] = at["places"][:, 1, 1]  # a window that counts nowhere
    at["fades"][:, 1] = 0.0
    at["windows"][:, 1] = torch.nan
    assert overlap_add_mix(**at).isfinite().all()


def test_without_windows_the_accompaniment_is_left_alone() -> None:
    at = call(80, count=1)
    at["windows"], at["places"], at["fades"] = (
        at[name][:, :0] for name in ("windows", "places", "fades")
    )
    mix, alone = overlap_add_mix(**at).unbind(1)
    assert torch.equal(mix, at["backing"])
    assert not alone.any()


def test_gradients_go_through_the_reference() -> None:
    at = call(60)
    at["gains"].requires_grad_()
    with switched_off("overlap_add_mix"):
        overlap_add_mix(**at).square().sum().backward()
    assert float(at["gains"].grad.abs().sum()) > 0


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("length", "batch", "channels", "count"),
    [(1, 1, 1, 1), (90, 3, 2, 1), (1_024, 2, 2, 2), (1_025, 1, 1, 3), (48_001, 2, 2, 3),
     (9_999, 2, 5, 40), (300_001, 1, 2, 700)],
)  # fmt: skip
def test_the_kernel_says_what_the_reference_says(
    length: int, batch: int, channels: int, count: int, interleaved: bool, dtype: torch.dtype
) -> None:
    at = call(length, batch=batch, channels=channels, count=count, dtype=dtype)
    at["interleaved"] = interleaved
    found = overlap_add_mix(**on("cuda", at))
    assert found.dtype == torch.float32
    assert worst(found, overlap_add_mix(**at)) < TOLERANCE


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_gains_do_not_drift_over_ten_minutes() -> None:
    length, step = 600 * 48_000, 4_800
    gains = torch.rand(1, 1, length // step, generator=torch.Generator().manual_seed(1))
    tensors = (
        torch.ones(1, 1, length, device="cuda"), torch.tensor([[[0, 0, length]]], device="cuda"),
        torch.zeros(1, 1, 2, device="cuda"), gains.cuda(),
        torch.zeros(1, 1, length, device="cuda"),
    )  # fmt: skip
    alone = overlap_add_mix(*tensors, step_samples=step)[0, 1, 0, -10 * step :].cpu().double()
    place = (torch.arange(length - 10 * step, length).double() + 0.5) / step - 0.5
    low = place.floor().long()
    near, far = (gains[0, 0, at.clamp_max(length // step - 1)].double() for at in (low, low + 1))
    assert worst(alone, near + (place - low) * (far - near)) < TOLERANCE


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_slices_another_stream_and_a_graph_give_the_same() -> None:
    at = on("cuda", call(5_000))
    wanted = overlap_add_mix(**at)
    wide = torch.stack([at["backing"], at["backing"]], 3)[..., 1]
    longer = F.pad(at["windows"], (3, 8))[..., 3:-8]
    assert not wide.is_contiguous()
    assert torch.equal(overlap_add_mix(**(at | {"backing": wide, "windows": longer})), wanted)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        beside = overlap_add_mix(**at)
    torch.cuda.current_stream().wait_stream(stream)
    assert torch.equal(beside, wanted)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = overlap_add_mix(**at)
    for _ in range(3):
        graph.replay()
        assert torch.equal(found, wanted)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU or torch.cuda.device_count() < 2, reason="no second GPU")
def test_it_runs_on_the_device_of_its_tensors() -> None:
    at = call(700)
    found = overlap_add_mix(**on("cuda:1", at))
    assert found.device.index == 1
    assert worst(found, overlap_add_mix(**at)) < TOLERANCE


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"places": torch.zeros(2, 3, 3)}, "places has dtype"),
        ({"fades": torch.zeros(2, 3)}, "fades has 6 values, expected 12"),
        ({"gains": torch.zeros(2, 1, 7)}, "gains has 14 values, expected 28"),
        ({"offset_samples": -1}, "samples from -1 on"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        overlap_add_mix(**on("cuda", call(500) | change))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("interleaved", [False, True])
def test_opcheck(device: str, interleaved: bool) -> None:
    at = on(device, call(300))
    tensors: tuple[Tensor, ...] = tuple(at.values())[:5]
    arguments = (*tensors, 100, 17, interleaved)
    torch.library.opcheck(torch.ops.autovoice.overlap_add_mix.default, arguments)


def test_the_page_says_what_a_call_costs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for batch in (1, 64):
        # Two windows of 27,000 samples, 12 gains for each of two channels, mix and vocal.
        read = 4 * (2 * 27_000 + 2 * 48_000 + 2 * 12) + 2 * (3 * 8 + 2 * 4)
        cost = Cost(1, batch * 48_000 * 34.0, batch * (read + 4 * 2 * 2 * 48_000))
        assert row("overlap_add_mix", batch, cost) in text
