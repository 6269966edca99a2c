"""The styled convolution against PyTorch's layers, and its CUDA kernel against the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU, TOLERANCE, worst
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels import Activation, style_conv1d
from autovoice.kernels.style_conv1d import MOMENT_SCALE, _reference, measure
from autovoice.nn.adain import adain_snake, modulate

STYLED = (Activation.STYLE_SNAKE, Activation.STYLE_LEAKY)


@dataclass(frozen=True)
class Case:
    """One call."""

    batch: int = 2
    rows: int = 77
    channels_in: int = 64
    channels_out: int = 128
    taps: int = 3
    dilation: int = 1
    activation: Activation = Activation.STYLE_SNAKE
    rows_out: int | None = None
    lengths: tuple[int, ...] | None = None
    residual: bool = True
    second: bool = False
    wide: bool = False

    def arguments(self, device: str, dtype: torch.dtype) -> dict[str, Any]:
        """Draw the tensors of the call."""
        chance = torch.Generator().manual_seed(7)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=chance)

        out = self.rows if self.rows_out is None else self.rows_out
        shape = (self.batch, out, self.channels_out)
        x = draw(self.batch, self.rows, self.channels_in) * 3 + 1
        lengths = None if self.lengths is None else torch.tensor(self.lengths, dtype=torch.int32)
        x = x.to(dtype)
        drawn: dict[str, Any] = {
            "x": x,
            "weight": (draw(self.taps, self.channels_in, self.channels_out) * 0.05).to(dtype),
            "bias": draw(self.channels_out),
            "factors": draw(self.batch, 2 * self.channels_in) * 0.5,
            "alpha": torch.rand(self.channels_in, generator=chance) * 2 + 0.01,
            "residual": draw(*shape).to(dtype) if self.residual else None,
            "second": draw(*shape).to(dtype) if self.second else None,
            "moments": measure(x, lengths),
            "lengths": lengths,
            "moments_out": torch.zeros(self.batch, 2, self.channels_out, dtype=torch.int64),
        }
        moved = {k: v if v is None else v.to(device) for k, v in drawn.items()}
        return moved | {
            "activation": self.activation,
            "slope": 0.2,
            "dilation": self.dilation,
            "padding": self.dilation * (self.taps - 1) // 2,
            "rows_out": self.rows_out,
            "factor": 0.5 if self.second else 1.0,
            "wide": self.wide,
        }


CASES = [
    Case(),
    Case(batch=1, rows=1, taps=11, dilation=5),
    Case(rows=31, channels_in=256, channels_out=256, taps=7, dilation=3, second=True),
    Case(rows=801, channels_in=128, taps=11, dilation=5, lengths=(801, 333)),
    Case(
        batch=3, rows=130, activation=Activation.LEAKY, taps=2, rows_out=131, lengths=(130, 1, 60)
    ),
    Case(channels_out=32, taps=7, activation=Activation.LEAKY, wide=True, residual=False),
    Case(
        rows=40, channels_in=192, channels_out=256, taps=2, rows_out=39, activation=Activation.NONE
    ),
    Case(rows=64, channels_in=544, activation=Activation.STYLE_LEAKY, second=True),
    Case(batch=1, rows=5000, channels_in=128, taps=7),
    Case(batch=64, rows=100, channels_in=32, taps=1),
]


def _by_layers(case: Case, at: dict[str, Any]) -> Tensor:
    """What the op does, said with PyTorch's layers, for items that count as a whole."""
    x = at["x"].transpose(1, 2)
    if case.activation == Activation.STYLE_SNAKE:
        x = adain_snake(x, at["factors"], at["alpha"][:, None])
    elif case.activation == Activation.STYLE_LEAKY:
        x = F.leaky_relu(modulate(x, at["factors"]), 0.2)
    elif case.activation == Activation.LEAKY:
        x = F.leaky_relu(x, 0.2)
    out = case.rows if case.rows_out is None else case.rows_out
    right = out + (case.taps - 1) * case.dilation - at["padding"] - case.rows
    x = F.pad(x, (at["padding"], right))
    y = F.conv1d(x, at["weight"].permute(2, 1, 0), at["bias"], dilation=case.dilation).transpose(
        1, 2
    )
    y = y if at["residual"] is None else y + at["residual"]
    y = at["factor"] * y
    return y if at["second"] is None else y + at["second"]


@pytest.mark.parametrize("case", [c for c in CASES if c.lengths is None and c.rows > 1], ids=str)
def test_the_reference_says_what_the_layers_say(case: Case) -> None:
    at = case.arguments("cpu", torch.float32)
    expected = _by_layers(case, at)
    found = style_conv1d(**at)
    assert worst(found, expected) < 2e-5
    count = expected.shape[1]
    sums = torch.stack([expected.sum(1), expected.square().sum(1)], dim=1)
    assert worst(at["moments_out"] / MOMENT_SCALE / count, sums / count) < 1e-4


def test_rows_beyond_an_item_do_not_count() -> None:
    case = Case(rows=90, lengths=(90, 41))
    at = case.arguments("cpu", torch.float32)
    found = style_conv1d(**at)
    alone = {k: v[1:] if torch.is_tensor(v) and k not in {"weight", "bias", "alpha"} else v
             for k, v in at.items()}  # fmt: skip
    alone["x"], alone["residual"] = alone["x"][:, :41], alone["residual"][:, :41]
    alone["lengths"], alone["moments_out"] = None, torch.zeros_like(alone["moments_out"])
    assert worst(found[1:, :41], style_conv1d(**alone)) < 1e-6
    assert worst(at["moments_out"][1:], alone["moments_out"]) < 1e-6


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernel_says_what_the_reference_says(case: Case) -> None:
    at = case.arguments("cuda", torch.float16)
    found = style_conv1d(**at)
    moments, at["moments_out"] = at["moments_out"], torch.zeros_like(at["moments_out"])
    names = ("x", "weight", "bias", "moments", "factors", "alpha", "residual", "second", "lengths",
             "moments_out", "activation", "dilation", "padding", "rows_out", "slope", "factor",
             "wide")  # fmt: skip
    at["rows_out"] = case.rows if case.rows_out is None else case.rows_out
    expected = _reference(*(at[name] for name in names))
    assert found.dtype == expected.dtype
    counts = case.lengths or (case.rows,) * case.batch
    for item, count in enumerate(counts):  # what lies beyond an item's end means nothing
        rows = slice(0, count + at["rows_out"] - case.rows)
        assert worst(found[item, rows], expected[item, rows]) < TOLERANCE[torch.float16]
    assert worst(moments, at["moments_out"]) < TOLERANCE[torch.float16]


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_the_kernel_gives_the_same_bits_each_time_and_in_a_graph() -> None:
    at = Case(rows=3000, channels_in=128, taps=7).arguments("cuda", torch.float16)
    first, moments = style_conv1d(**at), at["moments_out"].clone()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        again = style_conv1d(**at)
    for _ in range(3):
        at["moments_out"].zero_()
        graph.replay()
        assert torch.equal(first, again)
        assert torch.equal(moments, at["moments_out"])


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
def test_the_kernel_reads_views_and_works_on_another_stream() -> None:
    at = Case(rows=60).arguments("cuda", torch.float16)
    expected = style_conv1d(**at)
    longer = torch.zeros(2, 75, 64, dtype=torch.float16, device="cuda")
    longer[:, 5:65] = at["x"]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        found = style_conv1d(**(at | {"x": longer[:, 5:65]}))
    torch.cuda.current_stream().wait_stream(stream)
    assert torch.equal(found, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(2, 77, 64)}, "float"),
        ({"bias": torch.zeros(5)}, "bias"),
        ({"moments": None}, "moments"),
        ({"residual": torch.zeros(2, 5, 128, dtype=torch.float16)}, "residual"),
    ],
)
def test_the_kernel_says_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    at = Case().arguments("cuda", torch.float16)
    moved = {k: v if v is None else v.cuda() for k, v in change.items()}
    with pytest.raises(RuntimeError, match=f"(?i){message}"):
        style_conv1d(**(at | moved))


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    dtype = torch.float32 if device == "cpu" else torch.float16
    at = Case(second=True).arguments(device, dtype)
    torch.library.opcheck(
        torch.ops.autovoice.style_conv1d.default,
        (
            at["x"], at["weight"], at["bias"], at["moments"], at["factors"], at["alpha"],
            at["residual"], at["second"], None, at["moments_out"], 2, 1, 1, 77, 0.2, 0.5, False,
        ),
    )  # fmt: skip
