"""From a reference clip to the decoder's timbre vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.convnext import ConvNeXtBlock

# Mel bands of the 24 kHz mel spectrum that lie below 7.6 kHz: a 16 kHz reference has no more,
# and a style must not tell the rate of a file.
MEL_BANDS = 67
STYLE_DIM = 128
EMBEDDING_DIM = 256


class AttentiveStatistics(nn.Module):
    """Pool frames into a weighted mean and deviation (Okabe, Koshinaka and Shinoda 2018).

    Shape: ``x: [B, C, T]``, ``mask: [B, T]`` -> ``[B, 2 C]``.
    """

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        score = self.score(x).float().masked_fill(~mask[:, None], -1e4)
        weight = torch.softmax(score, dim=2)
        mean = (x * weight).sum(2)
        variance = (x.square() * weight).sum(2) - mean.square()
        return torch.cat([mean, variance.clamp_min(1e-5).sqrt()], dim=1)


class StyleEncoder(nn.Module):
    """Describe a voice for the decoder by its mel spectrum and its speaker embedding.

    The embedding (GE2E, trained on thousands of speakers) tells voices apart that the training
    corpus of this project is too small to teach; the spectrum adds what it leaves out.

    Shape: ``mel: [B, 80, T]`` (80 frames/s), ``embedding: [B, 256]``, ``mask: [B, T]`` true where
    there is voice -> ``[B, 128]``.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int = 256, hidden: int = 512, blocks: int = 6) -> None:
        super().__init__()
        self.inward = nn.Conv1d(MEL_BANDS, channels, 5, padding=2)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(channels, hidden, dilation=2 ** (index % 3)) for index in range(blocks)
        )
        self.pool = AttentiveStatistics(channels)
        self.norm = nn.LayerNorm(2 * channels)
        self.embed = nn.Linear(EMBEDDING_DIM, 2 * channels)
        self.head = nn.Sequential(
            nn.Linear(4 * channels, 512), nn.GELU(), nn.Dropout(0.1), nn.Linear(512, STYLE_DIM)
        )
        # Statistics of the decoder's own voices: the head predicts in their units.
        self.register_buffer("mean", torch.zeros(STYLE_DIM))
        self.register_buffer("spread", torch.ones(STYLE_DIM))

    def forward(self, mel: Tensor, embedding: Tensor, mask: Tensor) -> Tensor:
        x = self.inward(mel[:, :MEL_BANDS])
        for block in self.blocks:
            x = block(x)
        pooled = self.norm(self.pool(x, mask))
        # A unit vector of 256 numbers has entries near 1/16: bring them to one.
        named = F.gelu(self.embed(16.0 * embedding))
        out: Tensor = self.head(torch.cat([pooled, named], dim=1))
        return self.mean + self.spread * out
