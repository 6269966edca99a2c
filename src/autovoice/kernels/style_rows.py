"""Companions of the styled convolution: moments of rows, and a styled layer that doubles the rate.

Source: as ``style_conv1d``; the doubling is StyleTTS 2's (Li et al. 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.library import declare
from autovoice.kernels.style_conv1d import measure, styled, within


def row_moments(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return sums over time, for a style to follow; inference only.

    Args:
        x: ``[B, T, C]``, half precision on CUDA.
        lengths: ``[B]`` int32, rows of each item that count. Default all.

    Shape: ``[B, 2, C]`` int64: values and their squares, in units of 2^-24.
    """
    made: Tensor = torch.ops.autovoice.row_moments(x, lengths)
    return made


def style_pool(
    x: Tensor,
    moments: Tensor,
    factors: Tensor,
    weight: Tensor,
    bias: Tensor,
    lengths: Tensor | None = None,
    slope: float = 0.2,
) -> Tensor:
    """Style, leaky ReLU, then a depthwise transposed convolution of stride 2; inference only.

    Args:
        x: ``[B, T, C]``, half precision on CUDA.
        moments, factors: see ``style_conv1d``.
        weight: ``[3, C]`` float32, of a transposed convolution with padding 1 and output padding 1.
        bias: ``[C]`` float32.
        lengths: ``[B]`` int32, rows of each item that count. Default all.
        slope: of the leaky ReLU below zero.

    Shape: ``[B, 2 T, C]``.
    """
    made: Tensor = torch.ops.autovoice.style_pool(x, moments, factors, weight, bias, lengths, slope)
    return made


def _pool(
    x: Tensor, moments: Tensor, factors: Tensor, weight: Tensor, bias: Tensor,
    lengths: Tensor | None, slope: float,
) -> Tensor:  # fmt: skip
    values = F.leaky_relu(styled(x.float(), moments, factors, lengths), slope)
    values = within(values, lengths).transpose(1, 2)
    made = F.conv_transpose1d(
        values, weight.T[:, None].contiguous(), bias, stride=2, padding=1, output_padding=1,
        groups=x.shape[2],
    )  # fmt: skip
    return made.transpose(1, 2).contiguous().to(x.dtype)


def _fake_moments(x: Tensor, lengths: Tensor | None) -> Tensor:
    return x.new_empty((x.shape[0], 2, x.shape[2]), dtype=torch.int64)


def _fake_pool(
    x: Tensor, moments: Tensor, factors: Tensor, weight: Tensor, bias: Tensor,
    lengths: Tensor | None, slope: float,
) -> Tensor:  # fmt: skip
    return x.new_empty(x.shape[0], 2 * x.shape[1], x.shape[2])


declare("row_moments(Tensor x, Tensor? lengths) -> Tensor", measure, _fake_moments)
declare(
    "style_pool(Tensor x, Tensor moments, Tensor factors, Tensor weight, Tensor bias, "
    "Tensor? lengths, float slope) -> Tensor",
    _pool,
    _fake_pool,
)
