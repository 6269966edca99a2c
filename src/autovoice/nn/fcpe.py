"""FCPE's network: depthwise convolutions over a mel spectrum, 360 bins of pitch.

Luo et al., "FCPE: A Fast Context-based Pitch Estimation Model", 2025; weights fcpe_c_v001
(CNChTu, MIT), whose layers have no attention.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 1024
MELS = 128
BINS = 360
# Six layers of 31 frames and two of three.
CONTEXT_FRAMES = 6 * 15 + 2
GROUPS = 4
_LOWEST_HZ = 10.0


def slaney_filters(mels: int, bins: int, top_hz: float) -> Tensor:
    """Build triangular filters of equal area on Slaney's mel scale, ``[mels, bins]``.

    The scale is linear (200/3 Hz a mel) to 1 kHz and logarithmic above (6.4 in 27 mels).
    """
    break_mel, step = 15.0, math.log(6.4) / 27.0
    top_mel = break_mel + math.log(top_hz / 1000.0) / step
    edges_mel = torch.linspace(0.0, top_mel, mels + 2, dtype=torch.float64)
    above = 1000.0 * torch.exp(step * (edges_mel - break_mel))
    edges_hz = torch.where(edges_mel < break_mel, edges_mel * 200.0 / 3.0, above)
    bins_hz = torch.linspace(0.0, top_hz, bins, dtype=torch.float64)
    left, middle, right = (edges_hz[k : mels + k, None] for k in range(3))
    rising = (bins_hz - left) / (middle - left)
    falling = (right - bins_hz) / (right - middle)
    peak = torch.minimum(rising, falling).clamp_min(0.0)
    return (peak * 2.0 / (right - left)).float()


class ConvolutionLayer(nn.Module):
    """Add a gated depthwise convolution over 31 frames to the input, ``[B, 512, F]``."""

    def __init__(self, width: int = 512, kernel: int = 31) -> None:
        super().__init__()
        inner = 2 * width
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Conv1d(width, 2 * inner, 1)
        self.along_time = nn.Conv1d(inner, inner, kernel, padding=kernel // 2, groups=inner)
        self.narrow = nn.Conv1d(inner, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        normed = self.norm(features.transpose(1, 2)).transpose(1, 2)
        gated = functional.glu(self.widen(normed), dim=1)
        narrowed: Tensor = self.narrow(functional.silu(self.along_time(gated)))
        return features + narrowed


class FcpeNetwork(nn.Module):
    """Read pitch and confidence off a log-mel spectrum.

    Its first normalisation runs over the whole take. So that a take can be cut in chunks, the
    two numbers per group are asked for first (``moments``) and handed in with each chunk.
    """

    def __init__(self, layers: int = 6, width: int = 512) -> None:
        super().__init__()
        self.stem_in = nn.Conv1d(MELS, width, 3, padding=1)
        self.stem_norm = nn.GroupNorm(GROUPS, width)
        self.stem_out = nn.Conv1d(width, width, 3, padding=1)
        self.layers = nn.ModuleList(ConvolutionLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, BINS)
        self.register_buffer("cents", torch.zeros(BINS))
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        filters = slaney_filters(MELS, WINDOW_SAMPLES // 2 + 1, SAMPLE_RATE_HZ / 2)
        self.register_buffer("filters", filters, persistent=False)

    def mel(self, padded: Tensor) -> Tensor:
        """Compute the log-mel of audio that has 432 samples more at each end.

        Shape: ``[B, T]`` -> ``[B, 128, (T - 1024) // 160 + 1]``.
        """
        with torch.autocast(padded.device.type, enabled=False):
            spectrum = torch.stft(
                padded.float(),
                WINDOW_SAMPLES,
                hop_length=HOP_SAMPLES,
                window=self.get_buffer("window"),
                center=False,
                return_complex=True,
            )
            magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
            mel: Tensor = self.get_buffer("filters") @ magnitude
            return mel.clamp_min(1e-5).log()

    def moments(self, mel: Tensor) -> Tensor:
        """Return each frame's mean and mean square in each group, ``[B, 2, groups, F]``."""
        stem: Tensor = self.stem_in(mel).double()
        grouped = stem.reshape(stem.shape[0], GROUPS, -1, stem.shape[-1])
        return torch.stack([grouped.mean(dim=2), grouped.square().mean(dim=2)], dim=1)

    def forward(self, mel: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
        """Read off the pitch of a chunk.

        Args:
            mel: ``[B, 128, F]``.
            moments: ``[B, 2, groups]``, the average of ``self.moments`` over the whole take.

        Shape: f0 in Hz and confidence in [0, 1], ``[B, F]`` each.
        """
        features = functional.leaky_relu(self._normalised(self.stem_in(mel), moments))
        features = self.stem_out(features)
        for layer in self.layers:
            features = layer(features)
        scores = torch.sigmoid(self.head(self.norm(features.transpose(1, 2))).float())
        return self._decode(scores)

    def _normalised(self, features: Tensor, moments: Tensor) -> Tensor:
        mean, square = moments[:, 0], moments[:, 1]
        scale = (square - mean.square() + self.stem_norm.eps).rsqrt()
        batch, _, frames = features.shape
        per_group = features.reshape(batch, GROUPS, -1, frames)
        normed = (per_group - mean[:, :, None, None]) * scale[:, :, None, None]
        flat = normed.flatten(1, 2).to(features.dtype)
        scaled: Tensor = flat * self.stem_norm.weight[:, None] + self.stem_norm.bias[:, None]
        return scaled

    def _decode(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Average cents over nine bins around the best, ``[B, F, 360] -> [B, F]`` twice."""
        confidence, best = scores.max(dim=-1, keepdim=True)
        around = best + torch.arange(-4, 5, device=scores.device)
        inside = around.clamp(0, BINS - 1)
        near = scores.gather(-1, inside)
        cents = (near * self.get_buffer("cents")[inside]).sum(dim=-1) / near.sum(dim=-1)
        return _LOWEST_HZ * torch.exp2(cents / 1200.0), confidence.squeeze(-1)
