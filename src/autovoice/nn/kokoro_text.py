"""The text side of Kokoro-82M: phonemes and a style in, decoder inputs out.

Kokoro-82M (hexgrad, Apache-2.0) is a StyleTTS 2 (Li et al., 2023) without the diffusion part.
Everything here runs on padded batches: results do not depend on what else is in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from autovoice.errors import InputError
from autovoice.nn.adain import AdainResBlk1d
from autovoice.nn.albert import MAX_TOKENS, VOCABULARY, Albert

WIDTH = 512
STYLE = 128
DURATION_BINS = 50
# Where shapes shall recur, tokens and frames are filled up to multiples of these.
TOKENS_STEP, FRAMES_STEP = 16, 40


class Runner(Protocol):
    """Runs work of fixed shapes, perhaps as one graph; see ``nn.graphs.GraphCache.several``."""

    def __call__(
        self, name: str, work: Callable[..., tuple[Tensor, ...]], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Return ``work(*tensors)``."""


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """What the decoder needs for a batch of sentences; zero past each sentence's end.

    Args:
        asr: ``[B, 512, T]`` content, one frame per 25 ms.
        f0_hz: ``[B, 2T]`` pitch, one frame per 12.5 ms; near or below 0 where unvoiced.
        energy: ``[B, 2T]`` log energy in the model's own unit.
        durations: ``[B, N]`` int64 content frames of each token; 0 for padding.
        frames: ``[B]`` int64 content frames of each sentence.
    """

    asr: Tensor
    f0_hz: Tensor
    energy: Tensor
    durations: Tensor
    frames: Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return ``[B, size]`` bool, true before each length."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def packed_lstm(lstm: nn.LSTM, sequence: Tensor, lengths_cpu: Tensor) -> Tensor:
    """Run a recurrent network on ``[B, N, C]``; each row ends at its own length."""
    if int(lengths_cpu.min()) == sequence.shape[1]:
        # Nothing is padding: PyTorch has a faster way without packing.
        whole: Tensor = lstm(sequence)[0]
        return whole
    packed = pack_padded_sequence(sequence, lengths_cpu, batch_first=True, enforce_sorted=False)
    output, _ = lstm(packed)
    padded, _ = pad_packed_sequence(output, batch_first=True, total_length=sequence.shape[1])
    return padded


def masked_adain_block(block: AdainResBlk1d, x: Tensor, style: Tensor, frames: Tensor) -> Tensor:
    """Run an AdaIN residual block whose statistics leave out each row's padding.

    Shape: x ``[B, C, T]``, style ``[B, 128]``, frames ``[B]`` -> ``[B, C', T]``, or ``[B, C', 2T]``
    from an upsampling block; zero past each row's end.
    """
    mask = length_mask(frames, x.shape[-1])[:, None].to(x.dtype)
    hidden = _masked_adain(block.norm1.fc, x, style, mask)
    shortcut = x
    if block.upsample:
        hidden = block.pool(hidden)
        shortcut = shortcut.repeat_interleave(2, dim=-1)
        mask = mask.repeat_interleave(2, dim=-1)
    hidden = block.conv1(hidden * mask)
    hidden = block.conv2(_masked_adain(block.norm2.fc, hidden, style, mask))
    if block.conv1.in_channels != block.conv1.out_channels:
        shortcut = block.conv1x1(shortcut)
    summed: Tensor = (hidden + shortcut) * mask / math.sqrt(2)
    return summed


def _masked_adain(fc: nn.Module, x: Tensor, style: Tensor, mask: Tensor) -> Tensor:
    """Normalise over the real frames, restyle, rectify; zero elsewhere."""
    count = mask.sum(dim=-1, keepdim=True).clamp(min=1)
    mean = (x * mask).sum(dim=-1, keepdim=True) / count
    variance = ((x - mean).square() * mask).sum(dim=-1, keepdim=True) / count
    gamma, beta = fc(style)[..., None].chunk(2, dim=1)
    styled = (1 + gamma) * (x - mean) * torch.rsqrt(variance + 1e-5) + beta
    return functional.leaky_relu(styled, 0.2) * mask


class ChannelNorm(nn.Module):
    """Normalise over channels, ``[B, C, N] -> [B, C, N]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shape = self.gamma.shape
        return functional.layer_norm(x.transpose(1, 2), shape, self.gamma, self.beta).transpose(
            1, 2
        )


class TextEncoder(nn.Module):
    """Turn phonemes into content: convolutions, then a recurrent layer.

    Shape: tokens ``[B, N]`` -> ``[B, 512, N]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.cnn = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(WIDTH, WIDTH, 5, padding=2), ChannelNorm(WIDTH), nn.LeakyReLU(0.2)
            )
            for _ in range(3)
        )
        self.lstm = nn.LSTM(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)

    def forward(self, tokens: Tensor, mask: Tensor, lengths_cpu: Tensor) -> Tensor:
        return self.over_text(self.nearby(tokens, mask), lengths_cpu)

    def nearby(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Mix each phoneme with its neighbours, ``[B, N] -> [B, 512, N]``."""
        keep = mask[:, None].to(self.embedding.weight.dtype)
        x: Tensor = self.embedding(tokens).transpose(1, 2) * keep
        for block in self.cnn:
            x = block(x) * keep
        return x

    def over_text(self, x: Tensor, lengths_cpu: Tensor) -> Tensor:
        """Run the recurrent layer over what ``nearby`` returns, ``[B, 512, N]`` to the same."""
        return packed_lstm(self.lstm, x.transpose(1, 2), lengths_cpu).transpose(1, 2)


class AdaLayerNorm(nn.Module):
    """Layer normalisation whose gain and offset come from the style, ``[B, N, 512]``."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(STYLE, 2 * WIDTH)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        gamma, beta = self.fc(style)[:, None].chunk(2, dim=-1)
        normed: Tensor = (1 + gamma) * functional.layer_norm(x, (WIDTH,)) + beta
        return normed


class DurationEncoder(nn.Module):
    """Mix the style into the text. Shape: ``[B, N, 512] -> [B, N, 640]``, the style last."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(3):
            layers.append(nn.LSTM(WIDTH + STYLE, WIDTH // 2, batch_first=True, bidirectional=True))
            layers.append(AdaLayerNorm())
        self.lstms = nn.ModuleList(layers)

    def forward(self, x: Tensor, style: Tensor, lengths_cpu: Tensor) -> Tensor:
        styles = style[:, None].expand(-1, x.shape[1], -1)
        for layer in self.lstms:
            if isinstance(layer, nn.LSTM):
                x = packed_lstm(layer, torch.cat([x, styles], dim=-1), lengths_cpu)
            else:
                x = layer(x, style)
        return torch.cat([x, styles], dim=-1)


class DurationProjection(nn.Module):
    """Read 50 on-off bins per token; their sum is the duration in frames."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_layer = nn.Linear(WIDTH, DURATION_BINS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.linear_layer(x)).sum(dim=-1)


class ProsodyPredictor(nn.Module):
    """Predict durations, pitch and energy from encoded text and the prosody style."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder = DurationEncoder()
        self.lstm = nn.LSTM(WIDTH + STYLE, WIDTH // 2, batch_first=True, bidirectional=True)
        self.duration_proj = DurationProjection()
        self.shared = nn.LSTM(WIDTH + STYLE, WIDTH // 2, batch_first=True, bidirectional=True)
        self.F0 = _curve_blocks()
        self.N = _curve_blocks()
        self.F0_proj = nn.Conv1d(WIDTH // 2, 1, 1)
        self.N_proj = nn.Conv1d(WIDTH // 2, 1, 1)

    def durations(self, encoded: Tensor, lengths_cpu: Tensor) -> Tensor:
        """Return frames per token before rounding, ``[B, N, 640] -> [B, N]``."""
        frames: Tensor = self.duration_proj(packed_lstm(self.lstm, encoded, lengths_cpu))
        return frames

    def over_time(self, aligned: Tensor, frames_cpu: Tensor) -> Tensor:
        """Run the recurrent layer that both curves share, ``[B, T, 640] -> [B, 512, T]``."""
        return packed_lstm(self.shared, aligned, frames_cpu).transpose(1, 2)

    def curves(self, shared: Tensor, style: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return pitch in Hz and energy, ``[B, 512, T] -> [B, 2T]`` each."""
        keep = length_mask(2 * frames, 2 * shared.shape[2])
        curves = []
        for blocks, projection in ((self.F0, self.F0_proj), (self.N, self.N_proj)):
            x, row_frames = shared, frames
            for index, block in enumerate(blocks):
                x = masked_adain_block(block, x, style, row_frames)  # type: ignore[arg-type]
                row_frames = 2 * row_frames if index == 1 else row_frames
            curves.append(projection(x).squeeze(1) * keep)
        return curves[0], curves[1]


def _curve_blocks() -> nn.ModuleList:
    half = WIDTH // 2
    return nn.ModuleList(
        [
            AdainResBlk1d(WIDTH, WIDTH, STYLE),
            AdainResBlk1d(WIDTH, half, STYLE, upsample=True),
            AdainResBlk1d(half, half, STYLE),
        ]
    )


class KokoroText(nn.Module):
    """Turn phonemes and a voice into what the decoder sings or speaks.

    Shape: tokens ``[B, N]`` int64 (0 at both ends of each sentence), lengths ``[B]`` (with those
    ends), style ``[B, 256]`` (timbre, then prosody); see :class:`TextFeatures` for the result.

    Source: Kokoro-82M (hexgrad); Li et al., "StyleTTS 2", 2023.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bert = Albert()
        self.bert_encoder = nn.Linear(768, WIDTH)
        self.text_encoder = TextEncoder()
        self.predictor = ProsodyPredictor()

    def forward(
        self,
        tokens: Tensor,
        lengths: Tensor,
        style: Tensor,
        speed: float | Tensor = 1.0,
        *,
        duration_scale: Tensor | None = None,
        run: Runner | None = None,
    ) -> TextFeatures:
        """Predict the decoder's inputs for a padded batch.

        Args:
            tokens: phoneme ids, at most 512 a row.
            lengths: tokens of each row, at least 1.
            style: a voice's 256 numbers for each row.
            speed: rate of speech, a number or ``[B]``, above 0. Default 1.
            duration_scale: ``[B, N]`` factor on each token's duration, above 0. Default none.
            run: runs all but the recurrent layers, filled up to shapes that recur; it may replay
                graphs. Default: here and now, as long as they are.

        Raises:
            InputError: more than 512 tokens.
        """
        if tokens.shape[1] > MAX_TOKENS:
            raise InputError(
                f"tokens: found {tokens.shape[1]} phonemes, expected at most {MAX_TOKENS}; "
                "split the text"
            )
        mask = length_mask(lengths, tokens.shape[1])
        lengths_cpu = lengths.cpu()
        prosody = style[:, STYLE:]
        context, nearby = self._read(tokens, mask, run)
        encoded = self.predictor.text_encoder(context, prosody, lengths_cpu)
        durations = self.predictor.durations(encoded, lengths_cpu)
        durations = durations / torch.as_tensor(speed, device=style.device).reshape(-1, 1)
        if duration_scale is not None:
            durations = durations * duration_scale
        durations = durations.round().clamp(min=1).long() * mask
        content = self.text_encoder.over_text(nearby, lengths_cpu)
        frames = durations.sum(dim=1)
        frames_cpu = frames.cpu()
        index, keep = _alignment(durations, frames, int(frames_cpu.max()))
        shared = self.predictor.over_time(_spread(encoded, index, keep), frames_cpu)
        f0_hz, energy = self._curves(shared, prosody, frames, run)
        asr = _spread(content.transpose(1, 2), index, keep).transpose(1, 2)
        return TextFeatures(asr, f0_hz, energy, durations, frames)

    def _read(self, tokens: Tensor, mask: Tensor, run: Runner | None) -> tuple[Tensor, ...]:
        """Return the phonemes in context, ``[B, N, 512]``, and with neighbours, ``[B, 512, N]``."""

        def work(tokens: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
            context = self.bert_encoder(self.bert(tokens, mask))
            return context, self.text_encoder.nearby(tokens, mask)

        if run is None:
            return work(tokens, mask)
        size = tokens.shape[1]
        missing = min(-size % TOKENS_STEP, MAX_TOKENS - size)
        padded = [functional.pad(tensor, (0, missing)) for tensor in (tokens, mask)]
        context, nearby = run("text", work, *padded)
        return context[:, :size], nearby[:, :, :size]

    def _curves(
        self, shared: Tensor, style: Tensor, frames: Tensor, run: Runner | None
    ) -> tuple[Tensor, ...]:
        """Return pitch and energy, see ``ProsodyPredictor.curves``."""
        if run is None:
            return self.predictor.curves(shared, style, frames)
        size = shared.shape[2]
        padded = functional.pad(shared, (0, -size % FRAMES_STEP))
        curves = run("curves", self.predictor.curves, padded, style, frames)
        return tuple(curve[:, : 2 * size] for curve in curves)


def _alignment(durations: Tensor, frames: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the token of each of ``size`` frames, ``[B, T]``, and where frames are real."""
    position = torch.arange(size, device=durations.device).expand(len(durations), -1)
    index = torch.searchsorted(durations.cumsum(dim=1), position.contiguous(), right=True)
    return index.clamp(max=durations.shape[1] - 1), length_mask(frames, size)


def _spread(x: Tensor, index: Tensor, keep: Tensor) -> Tensor:
    """Repeat each token's row over its frames, ``[B, N, C] -> [B, T, C]``."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1])) * keep[..., None]
