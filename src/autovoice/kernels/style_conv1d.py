"""Convolution over rows with the decoder's style before it and its residuals after it.

Source: the block is iSTFTNet's (Kaneko et al. 2022) with adaptive instance normalisation (Huang and
Belongie 2017) and Snake (Ziyin, Hartwig and Ueda 2020), as StyleTTS 2 and Kokoro-82M put them
together. ``docs/kernels/style_conv1d.md`` has the formula and what the kernel costs.
"""

from __future__ import annotations

import enum

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.library import declare

# Moments are sums in fixed point: integers add up to the same in any order.
MOMENT_SCALE = 16_777_216
EPSILON = 1e-5


class Activation(enum.IntEnum):
    """What is done to the input before the convolution; the numbers are those of the CUDA code."""

    NONE = 0
    LEAKY = 1
    STYLE_SNAKE = 2
    STYLE_LEAKY = 3


def style_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    activation: Activation = Activation.NONE,
    moments: Tensor | None = None,
    factors: Tensor | None = None,
    alpha: Tensor | None = None,
    slope: float = 0.0,
    dilation: int = 1,
    padding: int = 0,
    rows_out: int | None = None,
    residual: Tensor | None = None,
    factor: float = 1.0,
    second: Tensor | None = None,
    lengths: Tensor | None = None,
    moments_out: Tensor | None = None,
    wide: bool = False,
) -> Tensor:
    """Return ``second + factor * (residual + bias + conv(activation(x)))``; inference only.

    Args:
        x: ``[B, T, C]``, half precision on CUDA. Items may lie apart, rows may not.
        weight: ``[taps, C, D]``, of the type of ``x``; C and D multiples of 32 on CUDA.
        bias: ``[D]`` float32.
        activation: before the convolution. A style normalises each channel over time by
            ``moments``, to deviation ``1 + factors[:, :C]`` and mean ``factors[:, C:]``.
        moments: ``[B, 2, C]`` int64, sums of values and of their squares in units of 2^-24, as
            ``moments_out`` of the op that made ``x`` left them.
        factors, alpha: ``[B, 2 C]``, and Snake's frequency ``[C]``; float32.
        slope: of the leaky ReLU below zero.
        dilation, padding: rows between taps, and rows of zeros before the first.
        rows_out: rows of the result; default T. Rows of zeros follow as far as they are needed.
        residual, second: ``[B, rows_out, D]`` of the type of ``x``.
        lengths: ``[B]`` int32, rows of each item that count; later rows read as zero and add
            nothing to ``moments_out``, and what is returned for them means nothing. Default all.
        moments_out: ``[B, 2, D]`` int64, to which the moments of the result are added.
        wide: return float32, not rounded to the type of ``x``.

    Shape: ``[B, rows_out, D]``. Raises RuntimeError where shapes, types or strides do not fit.
    """
    made: Tensor = torch.ops.autovoice.style_conv1d(
        x, weight, bias, moments, factors, alpha, residual, second, lengths, moments_out,
        int(activation), dilation, padding, x.shape[1] if rows_out is None else rows_out,
        slope, factor, wide,
    )  # fmt: skip
    return made


def _reference(
    x: Tensor, weight: Tensor, bias: Tensor | None, moments: Tensor | None, factors: Tensor | None,
    alpha: Tensor | None, residual: Tensor | None, second: Tensor | None, lengths: Tensor | None,
    moments_out: Tensor | None, activation: int, dilation: int, padding: int, rows_out: int,
    slope: float, factor: float, wide: bool,
) -> Tensor:  # fmt: skip
    values = x.float()
    if activation in {Activation.STYLE_SNAKE, Activation.STYLE_LEAKY}:
        assert moments is not None and factors is not None  # noqa: PT018, S101
        values = styled(values, moments, factors, lengths)
    if activation == Activation.STYLE_SNAKE:
        assert alpha is not None  # noqa: S101
        values = values + torch.sin(alpha * values).square() / alpha
    elif activation != Activation.NONE:
        values = F.leaky_relu(values, slope)
    values = within(values, lengths).to(x.dtype).float()
    right = rows_out + (weight.shape[0] - 1) * dilation - padding - x.shape[1]
    padded = F.pad(values.transpose(1, 2), (padding, right))
    made = F.conv1d(padded, weight.float().permute(2, 1, 0), bias, dilation=dilation)
    made = made.transpose(1, 2)
    if residual is not None:
        made = made + residual.float()
    made = factor * made
    if second is not None:
        made = made + second.float()
    rounded = made.contiguous().to(x.dtype)
    if moments_out is not None:
        valid = None if lengths is None else lengths + (rows_out - x.shape[1])
        moments_out += measure(rounded, valid)
    return made.contiguous() if wide else rounded


def measure(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the moments of ``x: [B, T, C]`` over time as the op leaves them, ``[B, 2, C]``."""
    values = within(x, lengths).double()
    sums = torch.stack([values.sum(1), values.square().sum(1)], dim=1)
    return (sums * MOMENT_SCALE).round().to(torch.int64)


def styled(values: Tensor, moments: Tensor, factors: Tensor, lengths: Tensor | None) -> Tensor:
    """Normalise ``values: [B, T, C]`` over time, then scale and shift each channel."""
    count = values.shape[1] if lengths is None else lengths.clamp_min(1).double()[:, None]
    mean, square = (moments.double() / MOMENT_SCALE).unbind(1)
    mean, square = mean / count, square / count
    deviation = ((square - mean.square()).clamp_min(0) + EPSILON).sqrt()
    gain, offset = factors.double().chunk(2, dim=1)
    scale = (1 + gain) / deviation
    return (values * scale[:, None] + (offset - mean * scale)[:, None]).float()


def within(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return ``x: [B, T, C]`` with zeros beyond the end of each item."""
    if lengths is None:
        return x
    inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
    return torch.where(inside[:, :, None], x, torch.zeros((), dtype=x.dtype, device=x.device))


def _fake(
    x: Tensor, weight: Tensor, bias: Tensor | None, moments: Tensor | None, factors: Tensor | None,
    alpha: Tensor | None, residual: Tensor | None, second: Tensor | None, lengths: Tensor | None,
    moments_out: Tensor | None, activation: int, dilation: int, padding: int, rows_out: int,
    slope: float, factor: float, wide: bool,
) -> Tensor:  # fmt: skip
    shape = (x.shape[0], rows_out, weight.shape[2])
    return x.new_empty(shape, dtype=torch.float32 if wide else x.dtype)


declare(
    "style_conv1d(Tensor x, Tensor weight, Tensor? bias, Tensor? moments, Tensor? factors, "
    "Tensor? alpha, Tensor? residual, Tensor? second, Tensor? lengths, Tensor(a!)? moments_out, "
    "int activation, int dilation, int padding, int rows_out, float slope, float factor, "
    "bool wide) -> Tensor",
    _reference,
    _fake,
)
