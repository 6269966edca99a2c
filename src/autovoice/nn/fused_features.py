"""The decoder's first half through the styled convolution; the same arithmetic as ``decoder``.

What enters every block beside its own rows (words, pitch, energy) is convolved on its own, ahead of
them: a convolution of channels side by side is the sum of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.kernels import Activation, row_moments, style_conv1d, style_pool
from autovoice.nn.adain import AdaIN1d, AdainResBlk1d
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.fused_rows import MomentBook, RowConv, Setting, State, grown, row_conv
from autovoice.nn.lanes import Lanes
from autovoice.nn.moment_memory import MomentMemory

_WIDTH = 1024
_SCALE = 1 / math.sqrt(2)
# Channels are filled up to a multiple of this.
_MULTIPLE = 32
_STYLE: dict[str, Any] = {"activation": Activation.STYLE_LEAKY, "slope": 0.2}


class FusedFeatures(nn.Module):
    """Words, pitch and energy to the generator's rows; inference only.

    Args:
        decoder: whose weights are taken.
        dtype: of rows and weights; float16 on CUDA.
    """

    def __init__(self, decoder: KokoroDecoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        curves = (decoder.F0_conv, decoder.N_conv)
        weight = torch.cat([conv.weight.detach().float() for conv in curves])
        bias = torch.cat([cast(Tensor, conv.bias).detach().float() for conv in curves])
        self.register_buffer("curve_weight", weight, persistent=False)
        self.register_buffer("curve_bias", bias, persistent=False)
        self.words = row_conv(cast(nn.Conv1d, decoder.asr_res[0]), dtype)
        self.encode = StyledBlock(decoder.encode, 0, dtype)
        self.decode = nn.ModuleList(
            StyledBlock(cast(AdainResBlk1d, block), _WIDTH, dtype) for block in decoder.decode
        )
        self.lanes = Lanes(1)

    def forward(
        self, asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor,
        lengths: Tensor | None = None, *, memory: MomentMemory | None = None,
    ) -> Tensor:  # fmt: skip
        """Run it.

        Args:
            asr, f0_hz, energy, style: see ``KokoroDecoder``.
            lengths: ``[B]`` int32, frames of ``asr`` of each item that count. Default all.
            memory: what styles normalise by. Default: their own input.

        Shape: ``[B, 2 T, 512]``.
        """
        both = torch.stack([f0_hz, energy], dim=1).float()
        curves = F.conv1d(
            both, self.get_buffer("curve_weight"), self.get_buffer("curve_bias"), stride=2,
            padding=1, groups=2,
        ).transpose(1, 2).to(self.dtype)  # fmt: skip
        words = asr.transpose(1, 2).to(self.dtype).contiguous()
        book = MomentBook(2 + 2 * len(self.decode), len(asr), _WIDTH, asr.device)
        here, style = Setting(book, lengths, memory), style.float()
        head = _state(torch.cat([words, curves], dim=2), here)
        extra = _state(torch.cat([self.words(words), curves], dim=2), here)
        blocks = [cast(StyledBlock, block) for block in self.decode]
        fork = self.lanes.fork(asr.device)
        with fork.lane(0):
            sides = [block.side(extra, style, here) for block in blocks]
        x = self.encode.run(Side(None, None), head, style, here)
        fork.join(0)
        for block, side in zip(blocks, sides, strict=True):
            x = block.run(side, x, style, here)
        return x.rows


@dataclass(frozen=True)
class Side:
    """What a block makes of its side input alone: what is added inside, and to the shortcut."""

    inner: Tensor | None
    shortcut: Tensor | None


class StyledBlock(nn.Module):
    """``AdainResBlk1d`` over rows.

    Args:
        block: whose weights are taken.
        main: how many input channels are the block's own rows; 0 for all. The rest is the side.
        dtype: of rows and weights.
    """

    def __init__(self, block: AdainResBlk1d, main: int, dtype: torch.dtype) -> None:
        super().__init__()
        total = block.conv1.in_channels
        own = slice(0, main or total)
        self.upsample = block.upsample
        self.own = Part(block, own, dtype, bias=True)
        self.beside = Part(block, slice(main, total), dtype, bias=False) if main else None
        self.second = row_conv(block.conv2, dtype)
        self.style = nn.Linear(*_linear(block.norm2).weight.shape[::-1])
        self.style.load_state_dict(_linear(block.norm2).state_dict())
        self.lanes = Lanes(1)
        self.requires_grad_(False)

    def side(self, extra: State, style: Tensor, here: Setting) -> Side:
        """Convolve the side input ahead of the block."""
        assert self.beside is not None  # noqa: S101
        inner = self.beside.inner(extra, style, here)
        return Side(inner, self.beside.shortcut(extra.rows, lengths=here.lengths))

    def run(self, side: Side, x: State, style: Tensor, here: Setting) -> State:
        """Run the block, ``[B, T, C]`` -> ``[B, T, D]`` or ``[B, 2 T, D]``."""
        channels = self.second.weight.shape[1]
        pages = [here.book.page()[:, :, :channels].contiguous() for _ in range(2)]
        fork = self.lanes.fork(x.rows.device)
        with fork.lane(0):
            shortcut = style_conv1d(
                x.rows, self.own.shortcut.weight, residual=side.shortcut, lengths=here.lengths
            )
            if self.upsample:
                shortcut = shortcut.repeat_interleave(2, dim=1)
        inner = self.own.inner(x, style, here, residual=side.inner, moments_out=pages[0])
        fork.join(0)
        lengths = grown(here.lengths, 2) if self.upsample else here.lengths
        rows = style_conv1d(
            inner, self.second.weight, self.second.bias,
            moments=here.state(inner, pages[0], lengths).moments,
            factors=self.style(style), padding=1, residual=shortcut, factor=_SCALE,
            lengths=lengths, moments_out=pages[1], **_STYLE,
        )  # fmt: skip
        return here.state(rows, pages[1], lengths)


class Part(nn.Module):
    """What a block does to some of its input channels, up to the second style."""

    def __init__(self, block: AdainResBlk1d, cut: slice, dtype: torch.dtype, bias: bool) -> None:
        super().__init__()
        count = cut.stop - cut.start
        missing = -count % _MULTIPLE
        weight = F.pad(block.conv1.weight.detach()[:, cut].permute(2, 1, 0), (0, 0, 0, missing))
        given = cast(Tensor, block.conv1.bias).detach()
        self.conv = RowConv(weight, given if bias else torch.zeros_like(given), dtype, padding=1)
        short = F.pad(block.conv1x1.weight.detach()[:, cut].permute(2, 1, 0), (0, 0, 0, missing))
        self.shortcut = RowConv(short, torch.zeros_like(given), dtype)
        # Gains of these channels, then their offsets; what fills up is zero.
        layer = _linear(block.norm1)
        both = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach()
        halves = [F.pad(half[cut], (0, 0, 0, missing)) for half in both.chunk(2)]
        joined = torch.cat(halves)
        self.style = nn.Linear(layer.in_features, len(joined))
        self.style.requires_grad_(False)
        self.style.weight.copy_(joined[:, :-1])
        self.style.bias.copy_(joined[:, -1])
        self.upsample = block.upsample
        if block.upsample:
            taps = F.pad(block.pool.weight.detach()[cut, 0].T.float(), (0, missing))
            offset = F.pad(cast(Tensor, block.pool.bias).detach()[cut].float(), (0, missing))
            self.register_buffer("pool_weight", taps.contiguous(), persistent=False)
            self.register_buffer("pool_bias", offset, persistent=False)

    def inner(self, x: State, style: Tensor, here: Setting, **ending: Any) -> Tensor:
        """Style, rate and first convolution: ``[B, T, C]`` -> ``[B, T, D]`` or ``[B, 2 T, D]``.

        ``ending`` is what ``style_conv1d`` does after it.
        """
        factors, rows, lengths = self.style(style), x.rows, here.lengths
        before = _STYLE | {"moments": x.moments, "factors": factors}
        if self.upsample:
            weight, bias = self.get_buffer("pool_weight"), self.get_buffer("pool_bias")
            rows = style_pool(rows, x.moments, factors, weight, bias, lengths)
            lengths, before = grown(lengths, 2), {}
        return style_conv1d(
            rows, self.conv.weight, self.conv.bias, padding=1, lengths=lengths, **before, **ending
        )


def _state(rows: Tensor, here: Setting) -> State:
    """Fill channels up, and take the moments."""
    rows = F.pad(rows, (0, -rows.shape[2] % _MULTIPLE))
    return here.state(rows, row_moments(rows, here.lengths))


def _linear(norm: AdaIN1d) -> nn.Linear:
    return norm.fc
