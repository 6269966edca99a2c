"""The U-Net that Spleeter uses once per stem."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64, 128, 256, 512)
STRIDE = 2 ** len(WIDTHS)
KERNEL = 5
BATCH_NORM_EPS = 1e-3
LEAK = 0.2
FINAL_KERNEL = 4
FINAL_DILATION = 2


class Down(nn.Module):
    """Halve both axes with a strided convolution.

    The bare convolution is what the skip connection carries; the next level reads it after
    batch norm and activation, so both are returned.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, KERNEL, stride=2)
        self.norm = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the convolution and its activation, ``[B, C, T, F] -> 2 x [B, D, T/2, F/2]``."""
        # The weights were trained with TensorFlow's "same" padding: 1 before, 2 after.
        skip = self.conv(functional.pad(x, (1, 2, 1, 2)))
        return skip, functional.leaky_relu(self.norm(skip), LEAK)


class Up(nn.Module):
    """Double both axes with a transposed convolution; dropout acts in training only."""

    def __init__(self, channels_in: int, channels_out: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, KERNEL, stride=2)
        self.norm = nn.BatchNorm2d(channels_out, eps=BATCH_NORM_EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[B, C, T, F] -> [B, D, 2T, 2F]``."""
        frames, bins = 2 * x.shape[-2], 2 * x.shape[-1]
        # The mirror of the "same" padding on the way down: drop 1 before and 2 after.
        grown = self.conv(x)[..., 1 : 1 + frames, 1 : 1 + bins]
        activated: Tensor = self.dropout(self.norm(functional.relu(grown)))
        return activated


class SpleeterUNet(nn.Module):
    """Estimate how much of each time-frequency bin belongs to one stem.

    Six strided convolutions down, six transposed ones up with skip connections, a dilated
    convolution to one mask per channel. Rebuilt from the published description; 9.8 M parameters.

    Shape:
        ``magnitude: [B, 2, T, F]`` -> ``mask: [B, 2, T, F]`` in [0, 1];
        T and F must be multiples of 64.

    Source: Hennequin, Khlif, Voituret, Moussallam: "Spleeter: a fast and efficient music source
    separation tool with pre-trained models" (JOSS 2020), after Jansson et al. (ISMIR 2017).
    """

    def __init__(self) -> None:
        super().__init__()
        ins = (2, *WIDTHS[:-1])
        self.down = nn.ModuleList(Down(i, o) for i, o in zip(ins, WIDTHS, strict=True))
        # From the second level on, the input is the skip beside the level below: twice as wide.
        outs = (*reversed(WIDTHS[:-1]), 1)
        widths_in = (WIDTHS[-1], *(2 * width for width in outs[:-1]))
        drops = (0.5, 0.5, 0.5, 0.0, 0.0, 0.0)
        self.up = nn.ModuleList(
            Up(i, o, drop) for i, o, drop in zip(widths_in, outs, drops, strict=True)
        )
        self.final = nn.Conv2d(1, 2, FINAL_KERNEL, dilation=FINAL_DILATION, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return the mask of one stem."""
        if magnitude.shape[-1] % STRIDE or magnitude.shape[-2] % STRIDE:
            raise ValueError(
                f"magnitude: found {list(magnitude.shape)}, expected [B, 2, T, F] with T and F "
                f"multiples of {STRIDE}; pad with zeros"
            )
        skips: list[Tensor] = []
        x = magnitude
        for down in self.down:
            skip, x = down(x)
            skips.append(skip)
        x = skips.pop()  # the lowest level goes up without batch norm and activation
        for up in self.up:
            x = up(x)
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return torch.sigmoid(self.final(x))
