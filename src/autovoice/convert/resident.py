"""The decoder's curves for a batch, as tensors; see ``convert.curves``."""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.convert.converter import HIGHEST_F0_HZ
from autovoice.convert.curves import CURVE_RATE_HZ, SILENCE

# Of the pitch: 8 ms, the first frame at 0.
PITCH_HOP_S = 0.008


def curves(
    pitch_hz: Tensor, energy: Tensor, frames: int, semitones: Tensor
) -> tuple[Tensor, Tensor]:
    """Return F0 and energy as the decoder reads them.

    Args:
        pitch_hz: ``[B, P]`` every 8 ms, 0 where unvoiced.
        energy: ``[B, >= 2 frames]``, 80 frames/s.
        frames: of the decoder, 25 ms each.
        semitones: ``[B, 1]``, shift of the melody.

    Shape: ``[B, 2 frames]`` each.
    """
    count = pitch_hz.shape[1]
    steps = torch.arange(2 * frames, device=pitch_hz.device, dtype=torch.float64)
    place = (steps + 0.5) / (CURVE_RATE_HZ * PITCH_HOP_S)
    left = place.floor().long().clamp(0, max(count - 2, 0))
    right = (left + 1).clamp_max(count - 1)
    part = (place - left).clamp(0, 1)
    low, high = pitch_hz[:, left].double(), pitch_hz[:, right].double()
    both = (low > 0) & (high > 0)
    between = torch.exp(torch.where(both, low, 1).log() * (1 - part)
                        + torch.where(both, high, 1).log() * part)  # fmt: skip
    f0_hz = torch.where(both, between, torch.where(part < 0.5, low, high))
    f0_hz = torch.where(place < count, f0_hz, 0.0) * torch.exp2(semitones.double() / 12)
    # A note above the model's range is sung in the next octave below rather than left out.
    octaves = (f0_hz.clamp_min(HIGHEST_F0_HZ) / HIGHEST_F0_HZ).log2().ceil()
    return (f0_hz / octaves.exp2()).float(), energy[:, : 2 * frames].clamp_min(SILENCE)
