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

from autovoice.errors import InputError
from autovoice.nn.adain import AdainResBlk1d
from autovoice.nn.albert import MAX_TOKENS, VOCABULARY, Albert
from autovoice.nn.masked_lstm import Ends, MaskedLstm

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
        self.lstm = MaskedLstm(WIDTH, WIDTH // 2)

    def forward(self, tokens: Tensor, mask: Tensor, ends: Ends) -> Tensor:
        keep = mask[:, None].to(self.embedding.weight.dtype)
        x: Tensor = self.embedding(tokens).transpose(1, 2) * keep
        for block in self.cnn:
            x = block(x) * keep
        return self.lstm.over(x.transpose(1, 2), ends).transpose(1, 2)


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
            layers.append(MaskedLstm(WIDTH + STYLE, WIDTH // 2))
            layers.append(AdaLayerNorm())
        self.lstms = nn.ModuleList(layers)

    def forward(self, x: Tensor, style: Tensor, ends: Ends) -> Tensor:
        styles = style[:, None].expand(-1, x.shape[1], -1)
        for layer in self.lstms:
            if isinstance(layer, MaskedLstm):
                x = layer.over(torch.cat([x, styles], dim=-1), ends)
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
        self.lstm = MaskedLstm(WIDTH + STYLE, WIDTH // 2)
        self.duration_proj = DurationProjection()
        self.shared = MaskedLstm(WIDTH + STYLE, WIDTH // 2)
        self.F0 = _curve_blocks()
        self.N = _curve_blocks()
        self.F0_proj = nn.Conv1d(WIDTH // 2, 1, 1)
        self.N_proj = nn.Conv1d(WIDTH // 2, 1, 1)

    def durations(self, encoded: Tensor, ends: Ends) -> Tensor:
        """Return frames per token before rounding, ``[B, N, 640] -> [B, N]``."""
        frames: Tensor = self.duration_proj(self.lstm.over(encoded, ends))
        return frames

    def over_time(self, aligned: Tensor, ends: Ends) -> Tensor:
        """Run the recurrent layer that both curves share, ``[B, T, 640] -> [B, 512, T]``."""
        return self.shared.over(aligned, ends).transpose(1, 2)

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
            run: runs all up to the durations, then all from the frames on, each filled up to shapes
                that recur; it may replay graphs. Default: here and now, as long as they are.

        Raises:
            InputError: more than 512 tokens.
        """
        size = tokens.shape[1]
        if size > MAX_TOKENS:
            raise InputError(
                f"tokens: found {size} phonemes, expected at most {MAX_TOKENS}; split the text"
            )
        prosody = style[:, STYLE:].contiguous()
        rate = torch.as_tensor(speed, dtype=style.dtype, device=style.device)
        scale = style.new_ones(tokens.shape) if duration_scale is None else duration_scale
        asked = (tokens, lengths, prosody, rate.expand(len(tokens)).contiguous(), scale)
        encoded, content, durations, frames = self._read(asked, run)
        frames_cpu = frames.cpu()
        longest = int(frames_cpu.max())
        whole = longest if run is None else -(-longest // FRAMES_STEP) * FRAMES_STEP
        index, keep = _alignment(durations, frames, whole)
        aligned = _spread(encoded, index, keep)
        if run is None:
            f0_hz, energy = self._spoken(aligned, prosody, frames, Ends(frames, frames_cpu))
        else:
            f0_hz, energy = run("frames", self._spoken, aligned, prosody, frames)
        asr = _spread(content, index, keep)[:, :longest].transpose(1, 2)
        curves = f0_hz[:, : 2 * longest], energy[:, : 2 * longest]
        return TextFeatures(asr, *curves, durations[:, :size], frames)

    def _read(self, asked: tuple[Tensor, ...], run: Runner | None) -> tuple[Tensor, ...]:
        """Return what ``_prepared`` does, through ``run`` with more padding."""
        tokens, lengths, prosody, rate, scale = asked
        if run is None:
            return self._prepared(*asked, ends=Ends(lengths, lengths.cpu()))
        missing = min(-tokens.shape[1] % TOKENS_STEP, MAX_TOKENS - tokens.shape[1])
        tokens, scale = (functional.pad(tensor, (0, missing)) for tensor in (tokens, scale))
        return run("text", self._prepared, tokens, lengths, prosody, rate, scale)

    def _prepared(self, *asked: Tensor, ends: Ends | None = None) -> tuple[Tensor, ...]:
        """Read the text and decide how long each token lasts.

        Args:
            asked: tokens and lengths as for ``forward``; ``[B, 128]`` prosody; ``[B]`` rate of
                speech; ``[B, N]`` factor on each duration.
            ends: of the rows. Default: nothing is asked of the device.

        Returns:
            The text with its style ``[B, N, 640]``, its content ``[B, N, 512]``, durations
            ``[B, N]`` int64 and their sums ``[B]``.
        """
        tokens, lengths, prosody, rate, scale = asked
        ends = ends or Ends(lengths)
        mask = length_mask(lengths, tokens.shape[1])
        context = self.bert_encoder(self.bert(tokens, mask))
        encoded = self.predictor.text_encoder(context, prosody, ends)
        durations = self.predictor.durations(encoded, ends) / rate[:, None] * scale
        durations = durations.round().clamp(min=1).long() * mask
        content = self.text_encoder(tokens, mask, ends).transpose(1, 2)
        return encoded, content, durations, durations.sum(dim=1)

    def _spoken(
        self, aligned: Tensor, prosody: Tensor, frames: Tensor, ends: Ends | None = None
    ) -> tuple[Tensor, ...]:
        """Return pitch in Hz and energy, ``[B, T, 640] -> [B, 2T]`` each."""
        shared = self.predictor.over_time(aligned, ends or Ends(frames))
        return self.predictor.curves(shared, prosody, frames)


def _alignment(durations: Tensor, frames: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the token of each of ``size`` frames, ``[B, T]``, and where frames are real."""
    position = torch.arange(size, device=durations.device).expand(len(durations), -1)
    index = torch.searchsorted(durations.cumsum(dim=1), position.contiguous(), right=True)
    return index.clamp(max=durations.shape[1] - 1), length_mask(frames, size)


def _spread(x: Tensor, index: Tensor, keep: Tensor) -> Tensor:
    """Repeat each token's row over its frames, ``[B, N, C] -> [B, T, C]``."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1])) * keep[..., None]
