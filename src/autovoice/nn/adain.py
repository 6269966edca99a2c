"""Layers whose mean and variance are set by a style vector.

Source: adaptive instance normalisation (Huang and Belongie 2017) as StyleTTS 2 (Li et al. 2023)
and Kokoro-82M use it; Snake activation (Ziyin, Hartwig and Ueda 2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5


def normalised(x: Tensor) -> Tensor:
    """Return each channel with mean 0 and variance 1 over time, ``[B, C, T]``."""
    return F.instance_norm(x, eps=EPSILON)


class AdaIN1d(nn.Module):
    """Normalise each channel over time, then scale and shift it by the style.

    Shape: ``x: [B, C, T]``, ``style: [B, S]`` -> ``[B, C, T]``.
    """

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(style_dim, 2 * channels)
        # An attribute, so that statistics can be taken from elsewhere (``nn.held_norm``).
        self.normalise: Callable[[Tensor], Tensor] = normalised

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return modulate(x, self.fc(style), self.normalise)


def modulate(
    x: Tensor, factors: Tensor, normalise: Callable[[Tensor], Tensor] = normalised
) -> Tensor:
    """Normalise ``x: [B, C, T]`` over time; scale and shift by ``factors: [B, 2 C]``."""
    gamma, beta = factors.unsqueeze(-1).chunk(2, dim=1)
    return torch.addcmul(beta, 1 + gamma, normalise(x))


def adain_snake(
    x: Tensor,
    factors: Tensor,
    alpha: Tensor,
    normalise: Callable[[Tensor], Tensor] = normalised,
) -> Tensor:
    """Modulate, then add ``sin(alpha x)^2 / alpha``, a periodic activation, in ``x``'s type."""
    made = modulate(x, factors, normalise)
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
        layers = zip(
            self.adain1,
            self.alpha1,
            self.convs1,
            self.adain2,
            self.alpha2,
            self.convs2,
            strict=True,
        )
        for norm1, alpha1, conv1, norm2, alpha2, conv2 in layers:
            y = self.convolve(conv1, self.activate(x, norm1.fc(style), alpha1))
            y = self.convolve(conv2, self.activate(y, norm2.fc(style), alpha2))
            x = x + y
        return x
