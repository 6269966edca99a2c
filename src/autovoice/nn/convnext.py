"""A residual block of one wide depthwise convolution and a two-layer perceptron per frame.

Source: ConvNeXt (Liu et al. 2022), in one dimension as Vocos (Siuzdak 2023) uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNeXtBlock(nn.Module):
    """Mix frames, then channels; add to the input.

    The norm is taken over channels frame by frame, so that a chunk gives what the whole gives.

    Shape: ``[B, C, T]`` -> ``[B, C, T]``.
    """

    def __init__(self, channels: int, hidden: int, kernel_size: int = 7, dilation: int = 1) -> None:
        super().__init__()
        pad = dilation * (kernel_size - 1) // 2
        self.mix = nn.Conv1d(
            channels, channels, kernel_size, padding=pad, dilation=dilation, groups=channels
        )
        self.norm = nn.LayerNorm(channels)
        self.up = nn.Linear(channels, hidden)
        self.down = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.mix(x).transpose(1, 2))
        y = self.down(F.gelu(self.up(y))) * self.scale
        out: Tensor = x + y.transpose(1, 2)
        return out
