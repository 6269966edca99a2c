"""Distill-MOS: how good people would find a stretch of speech, predicted from its spectrum.

Stahl and Gamper, "Distillation and pruning for scalable self-supervised representation-based
speech quality assessment", 2025; the transformer and the pooling follow Tamm et al., "Analysis of
XLS-R for speech quality assessment", 2023. Module names follow the published weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE_HZ = 16_000
SEGMENT_SAMPLES = 122_880
HOP_SAMPLES = 160
WINDOW_SAMPLES = 320
# Channels of each convolution, and its stride over bins and over frames.
CONVOLUTIONS = ((64, 1, 1), (64, 2, 1), (128, 2, 1), (256, 2, 1), (256, 2, 1), (256, 2, 2))
KERNEL = 3
LEAK = 0.1
# What the convolutions leave of a segment: 256 channels x 4 bins, every 20 ms.
FEATURES = 1024
FRAMES = SEGMENT_SAMPLES // HOP_SAMPLES // 2
WIDTH = 200
HEADS = 8
LAYERS = 7
LOUDNESS_EXPONENT = 0.3
_LEAST_MAGNITUDE = 1e-12
_LEAST_PEAK = 1e-8


def compressed_spectrum(samples: Tensor) -> Tensor:
    """Return real and imaginary part of the spectrum, its magnitude to the power of 0.3.

    Windows of 20 ms every 10 ms; the ends are mirrored.

    Shape: ``[B, T] -> [B, 2, 161, T // 160]``.
    """
    margin = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
    spectrum = torch.stft(
        functional.pad(samples, (margin, margin), mode="reflect"),
        WINDOW_SAMPLES,
        HOP_SAMPLES,
        window=torch.hann_window(WINDOW_SAMPLES, device=samples.device),
        center=False,
        return_complex=True,
    )
    gain = spectrum.abs().clamp_min(_LEAST_MAGNITUDE) ** (LOUDNESS_EXPONENT - 1.0)
    return torch.view_as_real(spectrum * gain).permute(0, 3, 1, 2)


class SpectrumFeatures(nn.Module):
    """Six convolutions over the spectrum. Shape: ``[B, 122880] -> [B, 384, 1024]``."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels_in = 2
        for channels, over_bins, over_frames in CONVOLUTIONS:
            stride = (over_bins, over_frames)
            layers += [
                nn.Conv2d(channels_in, channels, KERNEL, stride=stride, padding=(0, 1)),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
            channels_in = channels
        self.cnn = nn.Sequential(*layers)

    def forward(self, samples: Tensor) -> Tensor:
        # This layout is the faster one for convolutions, on processors above all.
        spectrum = compressed_spectrum(samples).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.cnn(spectrum)
        return features.flatten(1, 2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention. Shape: ``[B, N, width] -> [B, N, width]``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, hidden: Tensor) -> Tensor:
        projected = functional.linear(hidden, self.in_proj_weight, self.in_proj_bias)
        query, key, value = projected.reshape(*hidden.shape[:2], 3, self.heads, -1).permute(
            2, 0, 3, 1, 4
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class EncoderLayer(nn.Module):
    """Attention and two linear layers, normalised after each residual."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.linear1 = nn.Linear(width, inner)
        self.linear2 = nn.Linear(inner, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, hidden: Tensor) -> Tensor:
        attended = self.norm1(hidden + self.self_attn(hidden))
        inner = torch.relu(self.linear1(attended))
        normed: Tensor = self.norm2(attended + self.linear2(inner))
        return normed


class Positions(nn.Module):
    """Add what tells one frame from another; the table comes with the weights."""

    pe: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, FRAMES, WIDTH))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.pe


class Encoder(nn.Module):
    """Hold the layers under the name that the weights have for them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([EncoderLayer(WIDTH, HEADS, 2 * WIDTH) for _ in range(LAYERS)])

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class Transformer(nn.Module):
    """Narrow the features and relate the frames. Shape: ``[B, 384, 1024] -> [B, 384, 200]``."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(FEATURES)
        self.linear_proj = nn.Linear(FEATURES, WIDTH)
        self.position_encoding = Positions()
        self.transformer_encoder = Encoder()

    def forward(self, features: Tensor) -> Tensor:
        narrowed = self.linear_proj(_over_frames(self.norm, features))
        hidden: Tensor = self.transformer_encoder(self.position_encoding(narrowed))
        return hidden


class AttentionPool(nn.Module):
    """Weigh the frames, then read one number off their mean. Shape: ``[B, N, D] -> [B]``."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, 2 * width)
        self.linear2 = nn.Linear(2 * width, 1)
        self.linear3 = nn.Linear(width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        weights = self.linear2(torch.relu(self.linear1(hidden))).softmax(dim=1)
        number: Tensor = self.linear3((weights * hidden).sum(dim=1))
        return number.squeeze(-1)


class QualityHead(nn.Module):
    """From features to an opinion between 0 and 1. Shape: ``[B, 384, 1024] -> [B]``."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_input = nn.BatchNorm1d(FEATURES)
        self.transformer = Transformer()
        self.norm_trans = nn.BatchNorm1d(WIDTH)
        self.pool = AttentionPool(WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.transformer(_over_frames(self.norm_input, features))
        return torch.sigmoid(self.pool(_over_frames(self.norm_trans, hidden)))


class DistillMosNetwork(nn.Module):
    """Predict the mean opinion score of segments of 7.68 s; 4.2 M parameters.

    Each segment is scaled to a peak of 1 first, so that its level does not count.

    Shape: ``samples: [B, 122880]`` at 16 kHz -> ``[B]`` in [1, 5].

    Source: Stahl and Gamper, 2025.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cnn = SpectrumFeatures()
        self.transformer_pool_attn = QualityHead()

    def forward(self, samples: Tensor) -> Tensor:
        """Score a batch of segments."""
        return self.opinion(self.features(samples))

    def features(self, samples: Tensor) -> Tensor:
        """Hear a batch of segments, ``[B, 122880] -> [B, 384, 1024]``."""
        peak = samples.abs().amax(dim=1, keepdim=True) + _LEAST_PEAK
        features: Tensor = self.cnn(samples / peak)
        return features

    def opinion(self, features: Tensor) -> Tensor:
        """Judge what was heard, ``[B, 384, 1024] -> [B]`` in [1, 5]."""
        opinion: Tensor = self.transformer_pool_attn(features)
        return 1.0 + 4.0 * opinion


def _over_frames(norm: nn.Module, frames: Tensor) -> Tensor:
    """Apply a norm that wants the features before the frames, ``[B, N, D] -> [B, N, D]``."""
    normed: Tensor = norm(frames.transpose(1, 2)).transpose(1, 2)
    return normed
