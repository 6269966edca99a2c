"""The speaker network that judges timbre while the voice model is trained.

It is trained by this project on the training corpus and is not the network that the evaluation
uses, so that a model cannot learn to please its examiner.

Source: a small TDNN with attentive statistics (after Desplanques et al. 2020) and an additive
angular margin loss (Deng et al. 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.style_encoder import MEL_BANDS, AttentiveStatistics


class SpeakerJudge(nn.Module):
    """Embed a voice.

    Shape: ``mel: [B, 80, T]`` -> unit vectors ``[B, 192]``.
    """

    def __init__(self, channels: int = 384, dim: int = 192) -> None:
        super().__init__()
        self.inward = nn.Conv1d(MEL_BANDS, channels, 5, padding=2)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=d, dilation=d) for d in (2, 3, 4, 1)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(8, channels) for _ in range(5))
        self.pool = AttentiveStatistics(channels)
        self.out = nn.Linear(2 * channels, dim)

    def forward(self, mel: Tensor) -> Tensor:
        mel = mel[:, :MEL_BANDS]
        mel = mel - mel.mean(dim=2, keepdim=True) * 0.5  # half of a room's colour is taken out
        x = F.relu(self.norms[0](self.inward(mel)))
        for conv, norm in zip(self.convs, list(self.norms)[1:], strict=True):
            x = x + F.relu(norm(conv(x)))
        mask = torch.ones(mel.shape[0], mel.shape[2], dtype=torch.bool, device=mel.device)
        return F.normalize(self.out(self.pool(x, mask)), dim=1)


class AngularMargin(nn.Module):
    """Classify speakers with a margin of ``margin`` radians at scale ``scale``."""

    def __init__(self, dim: int, classes: int, margin: float = 0.2, scale: float = 30.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim) * 0.01)
        self.margin = margin
        self.scale = scale

    def forward(self, embedding: Tensor, speaker: Tensor) -> Tensor:
        cosine = F.linear(embedding.float(), F.normalize(self.weight.float(), dim=1))
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        hit = F.one_hot(speaker, cosine.shape[1]).bool()
        logits = self.scale * torch.where(hit, torch.cos(angle + self.margin), cosine)
        return F.cross_entropy(logits, speaker)
