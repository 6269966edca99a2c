"""Layers over rows ``[B, T, C]``: weights as the styled convolution reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.kernels import Activation, style_conv1d
from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.moment_memory import MomentMemory


class RowConv(nn.Module):
    """A convolution over rows.

    Args:
        weight: ``[taps, C, D]``.
        bias: ``[D]``.
        dtype: of rows and weight.
        dilation, padding: of the convolution.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self, weight: Tensor, bias: Tensor, dtype: torch.dtype, dilation: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.dilation, self.padding = dilation, padding
        self.register_buffer("weight", weight.detach().to(dtype).contiguous(), persistent=False)
        self.register_buffer("bias", bias.detach().float().contiguous(), persistent=False)

    def forward(
        self,
        x: Tensor,
        *,
        activation: Activation = Activation.NONE,
        slope: float = 0.0,
        rows_out: int | None = None,
        lengths: Tensor | None = None,
        moments_out: Tensor | None = None,
        wide: bool = False,
    ) -> Tensor:
        """Run it, ``[B, T, C]`` -> ``[B, rows_out, D]``; see ``kernels.style_conv1d``."""
        return style_conv1d(
            x, self.weight, self.bias, activation=activation, slope=slope, dilation=self.dilation,
            padding=self.padding, rows_out=rows_out, lengths=lengths, moments_out=moments_out,
            wide=wide,
        )  # fmt: skip


@dataclass(frozen=True)
class State:
    """Rows, and the moments that a style needs of them: ``[B, T, C]``, ``[B, 2, C]`` int64."""

    rows: Tensor
    moments: Tensor


@dataclass(frozen=True)
class Setting:
    """What all layers of one pass share.

    Args:
        book: where moments go.
        lengths: ``[B]`` int32, rows of each item that count at this layer's rate; None for all.
        memory: what moments are blended with before a style follows them; None for nothing.
    """

    book: MomentBook
    lengths: Tensor | None
    memory: MomentMemory | None = None

    def state(self, rows: Tensor, moments: Tensor, lengths: Tensor | None = None) -> State:
        """Return rows for a style to follow, once their moments are complete.

        ``lengths`` are those at their rate where it is not this layer's.
        """
        if self.memory is None:
            return State(rows, moments)
        counts = self.lengths if lengths is None else lengths
        return State(
            rows, self.memory.settled(moments, rows.shape[1] if counts is None else counts)
        )


class MomentBook:
    """Moments of many layers in one piece of memory, so that one call clears them all."""

    def __init__(self, pages: int, batch: int, channels: int, device: torch.device) -> None:
        shape = (pages, batch, 2, channels)
        self._pages = iter(torch.zeros(shape, dtype=torch.int64, device=device).unbind())

    def page(self) -> Tensor:
        """Return the next, ``[B, 2, C]`` zeros."""
        return next(self._pages)


class FusedBlock(nn.Module):
    """``AdaINResBlock1`` in six kernels; the last of them ends what the block stands in.

    Args:
        block: whose weights are taken.
        dtype: of rows and weights.
    """

    def __init__(self, block: AdaINResBlock1, dtype: torch.dtype) -> None:
        super().__init__()
        convs = [conv for pair in zip(block.convs1, block.convs2, strict=True) for conv in pair]
        self.convs = nn.ModuleList(row_conv(cast(nn.Conv1d, conv), dtype) for conv in convs)
        alphas = [a for pair in zip(block.alpha1, block.alpha2, strict=True) for a in pair]
        self.register_buffer(
            "alphas", torch.stack([a.detach().float().flatten() for a in alphas]), persistent=False
        )

    def body(self, x: State, factors: list[Tensor], here: Setting) -> tuple[State, Tensor]:
        """Run all but the last convolution; return its input and the rows to add to it."""
        for index in range(0, 6, 2):
            inner = self._next(index, x, factors, here)
            if index < 4:
                x = self._next(index + 1, inner, factors, here, residual=x.rows)
        return inner, x.rows

    def last(self, inner: State, factors: list[Tensor], here: Setting, **ending: Any) -> Tensor:
        """Run the last convolution; ``ending`` is what ``style_conv1d`` does after it."""
        return self._run(5, inner, factors, here, **ending)

    def _next(
        self, index: int, x: State, factors: list[Tensor], here: Setting, **ending: Any
    ) -> State:
        page = here.book.page()
        return here.state(self._run(index, x, factors, here, moments_out=page, **ending), page)

    def _run(
        self, index: int, x: State, factors: list[Tensor], here: Setting, **ending: Any
    ) -> Tensor:
        conv = cast(RowConv, self.convs[index])
        return style_conv1d(
            x.rows, conv.weight, conv.bias, activation=Activation.STYLE_SNAKE, moments=x.moments,
            factors=factors[index], alpha=self.get_buffer("alphas")[index], dilation=conv.dilation,
            padding=conv.padding, lengths=here.lengths, **ending,
        )  # fmt: skip


def row_conv(
    conv: nn.Conv1d, dtype: torch.dtype, wide_in: int | None = None, wide_out: int | None = None
) -> RowConv:
    """Return a convolution of stride 1 over rows, its channels filled up with zeros if asked."""
    weight, bias = conv.weight.detach().permute(2, 1, 0), _bias(conv)
    missing_in = 0 if wide_in is None else wide_in - weight.shape[1]
    missing_out = 0 if wide_out is None else wide_out - weight.shape[2]
    padding, dilation = int(conv.padding[0]), int(conv.dilation[0])
    weight = F.pad(weight, (0, missing_out, 0, missing_in))
    return RowConv(weight, F.pad(bias, (0, missing_out)), dtype, dilation, padding)


def joining_conv(conv: nn.Conv1d, dtype: torch.dtype, wide_in: int) -> RowConv:
    """Return a convolution whose kernel is two strides, over rows that hold one stride each.

    Rows of ``stride`` frames of ``wide_in`` channels become one row, and the kernel two taps.
    """
    stride = int(conv.stride[0])
    weight = conv.weight.detach().permute(2, 1, 0)
    weight = F.pad(weight, (0, 0, 0, wide_in - weight.shape[1]))
    return RowConv(weight.reshape(2, stride * wide_in, -1), _bias(conv), dtype)


def splitting_conv(conv: nn.ConvTranspose1d, dtype: torch.dtype) -> RowConv:
    """Return a transposed convolution whose kernel is two strides, with a row for each stride.

    Row ``q`` of the result holds the frames ``q * stride`` on of the untrimmed result; it sees the
    input rows ``q - 1`` and ``q``.
    """
    stride = int(conv.stride[0])
    weight = conv.weight.detach()  # [C, D, 2 * stride]
    now, before = weight[:, :, :stride], weight[:, :, stride:]
    taps = torch.stack([part.permute(0, 2, 1).flatten(1) for part in (before, now)])
    return RowConv(taps, _bias(conv).repeat(stride), dtype, padding=1)


def grown(lengths: Tensor | None, times: int, more: int = 0) -> Tensor | None:
    """Return lengths ``times * lengths + more``, if there are any."""
    return None if lengths is None else lengths * times + more


def style_layers(block: AdaINResBlock1) -> Iterator[nn.Linear]:
    """Yield the layers that make a block's factors, in the order of its convolutions."""
    for first, second in zip(block.adain1, block.adain2, strict=True):
        for norm in (first, second):
            yield cast(nn.Linear, norm.fc)


def _bias(conv: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    return conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
