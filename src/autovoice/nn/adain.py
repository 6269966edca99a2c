"""Layers whose mean and variance are set by a style vector.

Source: adaptive instance normalisation (Huang and Belongie 2017) as StyleTTS 2 (Li et al. 2023)
and Kokoro-82M use it; Snake activation (Ziyin, Hartwig and Ueda 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.styled_pieces import EPSILON, can_cut, moments, rows_of, styled_conv

# Mean and variance that a layer normalises ``[B, C, T]`` by, ``[B, C, 1]`` each.
Moments = Callable[[Tensor], tuple[Tensor, Tensor]]


def normalised(x: Tensor, moments: Moments | None = None) -> Tensor:
    """Return each channel with mean 0 and variance 1 over time, ``[B, C, T]``."""
    if moments is None:
        return F.instance_norm(x, eps=EPSILON)
    mean, variance = moments(x)
    return (x - mean) * torch.rsqrt(variance + EPSILON)


class AdaIN1d(nn.Module):
    """Normalise each channel over time, then scale and shift it by the style.

    Shape: ``x: [B, C, T]``, ``style: [B, S]`` -> ``[B, C, T]``.
    """

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, 2 * channels)
        # Those of the input, unless statistics are taken from elsewhere (``nn.held_norm``).
        self.moments: Moments | None = None

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return modulate(x, self.fc(style), self.moments)


def modulate(x: Tensor, factors: Tensor, moments: Moments | None = None) -> Tensor:
    """Normalise ``x: [B, C, T]`` over time; scale and shift by ``factors: [B, 2 C]``."""
    gamma, beta = factors.unsqueeze(-1).chunk(2, dim=1)
    return torch.addcmul(beta, 1 + gamma, normalised(x, moments))


def adain_snake(
    x: Tensor, factors: Tensor, alpha: Tensor, moments: Moments | None = None
) -> Tensor:
    """Modulate, then add ``sin(alpha x)^2 / alpha``, a periodic activation, in ``x``'s type."""
    made = modulate(x, factors, moments)
    return (made + torch.sin(alpha * made).square() / alpha).to(x.dtype)


def _convolve(conv: nn.Conv1d, x: Tensor) -> Tensor:
    made: Tensor = conv(x)
    return made


class AdainResBlk1d(nn.Module):
    """A residual block of two 3-wide convolutions under style, optionally doubling the rate.

    Shape: ``x: [B, dim_in, T]`` -> ``[B, dim_out, T]`` or ``[B, dim_out, 2 T]``.
    """

    def __init__(
        self, dim_in: int, dim_out: int, style_dim: int = 128, upsample: bool = False
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.conv1 = nn.Conv1d(dim_in, dim_out, 3, padding=1)
        self.conv2 = nn.Conv1d(dim_out, dim_out, 3, padding=1)
        self.norm1 = AdaIN1d(style_dim, dim_in)
        self.norm2 = AdaIN1d(style_dim, dim_out)
        if dim_in != dim_out:
            self.conv1x1 = nn.Conv1d(dim_in, dim_out, 1, bias=False)
        if upsample:
            self.pool = nn.ConvTranspose1d(
                dim_in, dim_in, 3, stride=2, groups=dim_in, padding=1, output_padding=1
            )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        shortcut = x.repeat_interleave(2, dim=2) if self.upsample else x
        if hasattr(self, "conv1x1"):
            shortcut = self.conv1x1(shortcut)
        y = F.leaky_relu(self.norm1(x, style), 0.2)
        if self.upsample:
            y = self.pool(y)
        y = self.conv1(y)
        y = self.conv2(F.leaky_relu(self.norm2(y, style), 0.2))
        out: Tensor = (y + shortcut) / math.sqrt(2)
        return out


class AdaINResBlock1(nn.Module):
    """Three pairs of dilated convolutions with Snake and AdaIN, each pair residual.

    Shape: ``x: [B, C, T]`` -> ``[B, C, T]``.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        dilations: tuple[int, ...] = (1, 3, 5),
        style_dim: int = 128,
    ) -> None:
        super().__init__()

        def conv(dilation: int) -> nn.Conv1d:
            pad = dilation * (kernel_size - 1) // 2
            return nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=pad)

        # Functions of their own, so that a training can put its own in their place.
        self.activate: Callable[[Tensor, Tensor, Tensor], Tensor] = adain_snake
        self.convolve: Callable[[nn.Conv1d, Tensor], Tensor] = _convolve
        count = len(dilations)
        self.convs1 = nn.ModuleList(conv(d) for d in dilations)
        self.convs2 = nn.ModuleList(conv(1) for _ in dilations)
        self.adain1 = nn.ModuleList(AdaIN1d(style_dim, channels) for _ in range(count))
        self.adain2 = nn.ModuleList(AdaIN1d(style_dim, channels) for _ in range(count))
        self.alpha1 = nn.ParameterList(torch.ones(1, channels, 1) for _ in range(count))
        self.alpha2 = nn.ParameterList(torch.ones(1, channels, 1) for _ in range(count))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        ones = map(_Layer, self.adain1, self.alpha1, self.convs1)
        others = map(_Layer, self.adain2, self.alpha2, self.convs2)
        pairs = list(zip(ones, others, strict=True))
        if self._as_built() and can_cut(x, *self.convs1, *self.convs2):
            return _in_pieces(pairs, rows_of(x), style)
        for one, other in pairs:
            x = x + self._whole(other, self._whole(one, x, style), style)
        return x

    def _as_built(self) -> bool:
        return self.activate is adain_snake and self.convolve is _convolve

    def _whole(self, layer: _Layer, x: Tensor, style: Tensor) -> Tensor:
        norm, alpha, conv = layer
        activate = self.activate
        if norm.moments is not None:
            activate = partial(adain_snake, moments=norm.moments)
        return self.convolve(conv, activate(x, norm.fc(style), alpha))


class _Layer(NamedTuple):
    """A convolution with what stands before it."""

    norm: Any
    alpha: Tensor
    conv: Any

    def styled(self, x: Tensor, style: Tensor, **places: Tensor | None) -> Tensor:
        taken = (self.norm.moments or moments)(x)
        factors = self.norm.fc(style)
        return styled_conv(x, taken, factors, alpha=self.alpha, conv=self.conv, **places)


def _in_pieces(pairs: Sequence[tuple[_Layer, _Layer]], x: Tensor, style: Tensor) -> Tensor:
    """Run pairs of layers, each residual, in two buffers; ``x`` stays as it is."""
    inner: Tensor | None = None
    outer: Tensor | None = None
    for one, other in pairs:
        inner = one.styled(x, style, out=inner)
        x = outer = other.styled(inner, style, residual=x, out=outer)
    return x
