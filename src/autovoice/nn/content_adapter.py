"""From a speech recogniser's hidden layers to the decoder's word features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.convnext import ConvNeXtBlock

CONTENT_RATE_HZ = 50
ASR_RATE_HZ = 40
_DILATIONS = (1, 2, 4, 1, 2, 4, 1, 1)
# Frames of content that one output frame depends on, to each side: the sum of the blocks' reach.
CONTEXT_FRAMES = 60


def read_at(features: Tensor, frames: int, step: float = CONTENT_RATE_HZ / ASR_RATE_HZ) -> Tensor:
    """Interpolate content linearly at the centres of the decoder's frames.

    Content frame ``i`` is centred at ``i * 20`` ms, decoder frame ``j`` at ``(j + 0.5) * 25`` ms,
    so frame ``j`` is read at ``(j + 0.5) * 1.25``.

    Shape: ``[B, C, F]`` -> ``[B, C, frames]``.
    """
    place = (torch.arange(frames, device=features.device) + 0.5) * step
    place = place.clamp(max=features.shape[2] - 1)
    left = place.floor().long().clamp(max=max(features.shape[2] - 2, 0))
    right = (left + 1).clamp(max=features.shape[2] - 1)
    weight = (place - left).to(features.dtype)
    return features[:, :, left] * (1 - weight) + features[:, :, right] * weight


class ContentAdapter(nn.Module):
    """Map content features to ``asr`` frames.

    Each recogniser layer is normalised on its own, since their scales differ a hundredfold.

    Args:
        layers: how many hidden layers come in. Default 2.
        layer_dim: width of one. Default 512.
        channels: width inside. Default 512.

    Shape: ``content: [B, layers * layer_dim, F]`` at 50/s -> ``[B, 512, frames]`` at 40/s.
    """

    def __init__(
        self, layers: int = 2, layer_dim: int = 512, channels: int = 512, hidden: int = 1024
    ) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(layer_dim) for _ in range(layers))
        self.inward = nn.Conv1d(layers * layer_dim, channels, 1)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(channels, hidden, dilation=dilation) for dilation in _DILATIONS
        )
        self.norm = nn.LayerNorm(channels)
        self.outward = nn.Linear(channels, 512)

    def forward(self, content: Tensor, frames: int) -> Tensor:
        parts = content.transpose(1, 2).chunk(len(self.norms), dim=2)
        x = torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], dim=2)
        x = self.inward(x.transpose(1, 2))
        x = F.gelu(x)
        for index, block in enumerate(self.blocks):
            if index == len(self.blocks) // 2:
                x = read_at(x, frames)
            x = block(x)
        out: Tensor = self.outward(self.norm(x.transpose(1, 2))).transpose(1, 2)
        return out
