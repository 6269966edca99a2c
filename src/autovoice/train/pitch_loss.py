"""Hold the decoder to the pitch that it was given."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.sinc import Downsample24To16
from autovoice.nn.swift_f0 import HOP_SAMPLES, SAMPLE_RATE_HZ, SwiftF0Network

F0_RATE_HZ = 80
# The level that the tracker is used at elsewhere.
_PEAK = 0.15
_HIGHEST_HZ = 1_100.0


class PitchLoss(nn.Module):
    """Mean distance in half semitones between the imposed pitch and what SwiftF0 reads.

    Only frames count that are voiced in the imposed curve with voiced neighbours; beyond two
    semitones the loss is flat, so that an octave error of the reader does not outweigh the rest.

    Shape: ``audio: [B, S]`` 24 kHz, ``f0_hz: [B, S // 300]`` -> scalar.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = SwiftF0Network()
        self.network.load_state_dict(dict(tensors))
        self.to_16k = Downsample24To16()
        self.requires_grad_(False).eval()

    def forward(self, audio: Tensor, f0_hz: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            sound = self.to_16k(audio.float())
            sound = sound * (_PEAK / sound.detach().abs().amax(1, keepdim=True).clamp_min(1e-4))
            read_hz, sure = self.network(sound)
            wanted_hz, voiced = _at_reader_frames(f0_hz, read_hz.shape[1])
            gap = 24 * (torch.log2(read_hz.clamp_min(40)) - torch.log2(wanted_hz.clamp_min(40)))
            weight = voiced * (wanted_hz < _HIGHEST_HZ) * (0.2 + sure.detach())
            cost = F.smooth_l1_loss(
                gap.clamp(-4, 4), torch.zeros_like(gap), reduction="none", beta=0.2
            )
            mean: Tensor = (cost * weight).sum() / weight.sum().clamp_min(1)
            return mean


def _at_reader_frames(f0_hz: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    times_s = torch.arange(frames, device=f0_hz.device) * (HOP_SAMPLES / SAMPLE_RATE_HZ)
    place = (times_s * F0_RATE_HZ - 0.5).clamp(0, f0_hz.shape[1] - 1.001)
    left = place.floor().long()
    part = place - left
    low, high = f0_hz[:, left], f0_hz[:, left + 1]
    inside = F.pad(f0_hz, (1, 2), mode="replicate") > 0
    voiced = inside[:, left] & inside[:, left + 1] & inside[:, left + 2] & inside[:, left + 3]
    return low + (high - low) * part, voiced.float()
