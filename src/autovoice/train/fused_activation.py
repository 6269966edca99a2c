"""The decoder's residual blocks on a GPU, for training: one pass each way instead of a dozen.

What lies between two convolutions (``nn.adain.adain_snake``) was half of the time of a training
step on an H200: nine kernels forward and some twenty backward, each reading the whole signal. Here
statistics take one kernel and the rest another, in both directions, in float32 inside. Sounds lie
channels last, as the convolutions want them, so that nothing is turned round between the two.

Triton comes with PyTorch for CUDA; nothing here is imported without a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.decoder import Generator
from autovoice.nn.styled_pieces import EPSILON

_ROWS, _COLUMNS = 128, 32
_WARPS = 8


@triton.jit
def _statistics(x, mean, m2, frames, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # type: ignore[no-untyped-def]
    """Mean and squared deviation of a tile: ``x: [B, T, C]`` -> ``[B, tiles, C]`` each."""
    item, tile, tiles = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    row = tile * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < frames)[:, None] & (column < channels)[None]
    place = (item * frames + row).to(tl.int64)[:, None] * channels + column[None]
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    count = tl.minimum(frames - tile * ROWS, ROWS).to(tl.float32)
    centre = tl.sum(value, 0) / count
    apart = tl.where(inside, value - centre[None], 0.0)
    out = (item * tiles + tile) * channels + column
    tl.store(mean + out, centre, mask=column < channels)
    tl.store(m2 + out, tl.sum(apart * apart, 0), mask=column < channels)


@triton.jit
def _styled(value, mean, rstd, factors, alpha, item, column, channels):  # type: ignore[no-untyped-def]
    """A tile normalised and in its style, the gain between, and alpha: ``[T, C]``."""
    known, own = column < channels, item * channels + column
    scale = 1.0 + tl.load(factors + 2 * item * channels + column, mask=known, other=0.0)
    shift = tl.load(factors + (2 * item + 1) * channels + column, mask=known, other=0.0)
    centre = tl.load(mean + own, mask=known, other=0.0)
    width = tl.load(rstd + own, mask=known, other=0.0)
    a = tl.load(alpha + column, mask=known, other=1.0)
    normal = (value - centre[None]) * width[None]
    return normal, normal * scale[None] + shift[None], (scale * width)[None], a[None]


@triton.jit
def _forward(  # type: ignore[no-untyped-def]
    x, mean, rstd, factors, alpha, made, frames, channels,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < frames)[:, None] & (column < channels)[None]
    place = (item * frames + row).to(tl.int64)[:, None] * channels + column[None]
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    _, styled, _, a = _styled(value, mean, rstd, factors, alpha, item, column, channels)
    wave = tl.sin(a * styled)
    tl.store(made + place, styled + wave * wave / a, mask=inside)


@triton.jit
def _sums(  # type: ignore[no-untyped-def]
    x, grad, mean, rstd, factors, alpha, sums, frames, channels, size,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Sums of a tile: of the gradient, of it times the normalised value, and of alpha's."""
    item, tile, tiles = tl.program_id(0), tl.program_id(1), tl.num_programs(1)
    row = tile * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known = column < channels
    inside = (row < frames)[:, None] & known[None]
    place = (item * frames + row).to(tl.int64)[:, None] * channels + column[None]
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    given = tl.load(grad + place, mask=inside, other=0.0).to(tl.float32)
    normal, styled, _, a = _styled(value, mean, rstd, factors, alpha, item, column, channels)
    wave, turn = tl.sin(a * styled), tl.cos(a * styled)
    passed = given * (1.0 + 2.0 * wave * turn)
    of_alpha = given * (2.0 * wave * turn * styled - wave * wave / a) / a
    out = sums + (item * tiles + tile) * channels + column
    tl.store(out, tl.sum(passed, 0), mask=known)
    tl.store(out + size, tl.sum(passed * normal, 0), mask=known)
    tl.store(out + 2 * size, tl.sum(of_alpha, 0), mask=known)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    x, grad, mean, rstd, factors, alpha, total, made, frames, channels, size,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0)
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(2) * COLUMNS + tl.arange(0, COLUMNS)
    known, own = column < channels, item * channels + column
    inside = (row < frames)[:, None] & known[None]
    place = (item * frames + row).to(tl.int64)[:, None] * channels + column[None]
    level = tl.load(total + own, mask=known, other=0.0) / frames
    along = tl.load(total + size + own, mask=known, other=0.0) / frames
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    given = tl.load(grad + place, mask=inside, other=0.0).to(tl.float32)
    normal, styled, gain, a = _styled(value, mean, rstd, factors, alpha, item, column, channels)
    passed = given * (1.0 + 2.0 * tl.sin(a * styled) * tl.cos(a * styled))
    left = passed - level[None] - normal * along[None]
    tl.store(made + place, gain * left, mask=inside)


def channels_last(x: Tensor) -> Tensor:
    """Lay ``x: [B, C, T]`` out channels last; its shape stays."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)


def _grid(items: int, frames: int, channels: int) -> tuple[int, int, int]:
    return items, triton.cdiv(frames, _ROWS), triton.cdiv(channels, _COLUMNS)


class _AdainSnake(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor, alpha: Tensor) -> Tensor:
        rows = x.transpose(1, 2).contiguous()
        items, frames, channels = rows.shape
        ctx.like = (factors.dtype, alpha.shape, alpha.dtype)
        factors, flat = factors.float().contiguous(), alpha.float().flatten().contiguous()
        grid = _grid(items, frames, channels)
        parts = torch.empty(2, items, grid[1], channels, device=x.device)
        tiles = {"ROWS": _ROWS, "COLUMNS": _COLUMNS, "num_warps": _WARPS}
        _statistics[grid](rows, parts[0], parts[1], frames, channels, **tiles)
        mean, rstd = _joined(parts, frames)
        made = torch.empty_like(rows)
        _forward[grid](rows, mean, rstd, factors, flat, made, frames, channels, **tiles)
        ctx.save_for_backward(rows, mean, rstd, factors, flat)
        return made.transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, mean, rstd, factors, alpha = ctx.saved_tensors
        items, frames, channels = rows.shape
        given = grad.transpose(1, 2).contiguous()
        grid = _grid(items, frames, channels)
        tiles = {"ROWS": _ROWS, "COLUMNS": _COLUMNS, "num_warps": _WARPS}
        parts = torch.empty(3, items, grid[1], channels, device=rows.device)
        known = (rows, given, mean, rstd, factors, alpha)
        _sums[grid](*known, parts, frames, channels, parts[0].numel(), **tiles)
        total = parts.sum(2)
        made = torch.empty_like(rows)
        _backward[grid](*known, total, made, frames, channels, total[0].numel(), **tiles)
        factors_dtype, shape, dtype = ctx.like
        of_factors = torch.cat([total[1], total[0]], dim=1).to(factors_dtype)
        return made.transpose(1, 2), of_factors, total[2].sum(0).view(shape).to(dtype)


def _joined(parts: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Join the tiles' means and deviations: ``[2, B, tiles, C]`` -> ``[B, C]`` each."""
    tiles = parts.shape[2]
    count = torch.full((tiles, 1), float(_ROWS), device=parts.device)
    count[-1:].fill_(float(frames - (tiles - 1) * _ROWS))
    mean = (parts[0] * count).sum(1) / frames
    spread = (parts[1] + count * (parts[0] - mean[:, None]).square()).sum(1) / frames
    return mean, torch.rsqrt(spread + EPSILON)


def adain_snake(x: Tensor, factors: Tensor, alpha: Tensor) -> Tensor:
    """Do what ``nn.adain.adain_snake`` does, with gradients, in float32 inside.

    Shape: ``x: [B, C, T]``, ``factors: [B, 2 C]``, ``alpha: [1, C, 1]`` -> ``[B, C, T]``,
    channels last.
    """
    made: Tensor = _AdainSnake.apply(x, factors, alpha)  # type: ignore[no-untyped-call]
    return made


def convolve(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """Run ``conv`` on a sound that lies channels last; PyTorch's own would turn it round."""
    flat = F.conv2d(
        x.unsqueeze(2), conv.weight.unsqueeze(2), conv.bias, (1, 1),
        (0, int(conv.padding[0])), (1, conv.dilation[0]),
    )  # fmt: skip
    return flat.squeeze(2)


def fuse(network: nn.Module) -> None:
    """Let every residual block of ``network`` run so, and its generators lay sounds out so."""
    for module in network.modules():
        if isinstance(module, AdaINResBlock1):
            module.activate, module.convolve = adain_snake, convolve
        if isinstance(module, Generator):
            module.arrange = channels_last
