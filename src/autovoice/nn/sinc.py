"""Band-limited reading of sampled sound, differentiable and batched.

Source: windowed-sinc interpolation (Smith, "Digital Audio Resampling").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Numbers that a pass holds at a time, in each of a handful of tensors.
_MOST_VALUES = 1 << 26


def _kernel(offset: Tensor, cutoff: Tensor | float, half: int) -> Tensor:
    """Weigh a sample ``offset`` samples away: sinc of relative ``cutoff`` under a Hann window."""
    window = torch.cos(torch.pi * offset / (2 * half)).square() * (offset.abs() < half)
    return cutoff * torch.sinc(cutoff * offset) * window


class Downsample24To16(nn.Module):
    """Convert 24 kHz to 16 kHz. Shape: ``[B, T]`` -> ``[B, 2 T // 3]``, T a multiple of 3."""

    kernel: Tensor

    def __init__(self, half: int = 24) -> None:
        super().__init__()
        taps = torch.arange(-half, half + 2, dtype=torch.float64)
        rows = [_kernel(taps - shift, 0.94 * 2 / 3, half) for shift in (0.0, 1.5)]
        self.reach = half
        kernel = torch.stack([row / row.sum() for row in rows])[:, None].float()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        padded = F.pad(audio[:, None], (self.reach, self.reach + 1))
        phases = F.conv1d(padded, self.kernel.to(audio.dtype), stride=3)
        length = 2 * audio.shape[1] // 3
        return phases.transpose(1, 2).reshape(audio.shape[0], -1)[:, :length]


def read_varispeed(
    audio: Tensor, start: Tensor, speed: Tensor, length: int, half: int = 12
) -> Tensor:
    """Read ``length`` samples from each ``start`` on, ``speed`` samples at a step.

    Args:
        audio: ``[N]`` one long signal.
        start, speed: ``[B]``; speed 1.2 plays a fifth faster and higher.

    Shape: ``[B, length]``.
    """
    place = start.double()[:, None] + speed.double()[:, None] * torch.arange(
        length, device=audio.device
    )
    base = place.floor().long()
    part = (place - base).float()
    cutoff = (1 / speed).clamp(max=1.0).float()[:, None, None]
    rows = max(1, _MOST_VALUES // max(1, 2 * half * length))
    # All taps of some items at once: one by one they are 24 times as many small kernels.
    return torch.cat([
        _read(audio, base[at : at + rows], part[at : at + rows], cutoff[at : at + rows], half)
        for at in range(0, len(base), rows)
    ])  # fmt: skip


def _read(audio: Tensor, base: Tensor, part: Tensor, cutoff: Tensor, half: int) -> Tensor:
    """Weigh and add up the samples round each place, ``[B, L]``."""
    tap = torch.arange(1 - half, half + 1, device=audio.device)
    sample = audio[(base[..., None] + tap).clamp(0, audio.shape[0] - 1)].float()
    return (sample * _kernel(tap - part[..., None], cutoff, half)).sum(-1)
