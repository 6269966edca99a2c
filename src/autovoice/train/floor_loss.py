"""Keep low frequencies quiet where nothing is voiced: no hum under consonants and in breaths.

A style that was heard in a noisy room brings its floor along. Under a clean consonant it is heard
as hum, and pitch trackers find notes in it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLE_RATE_HZ = 24_000
N_FFT = 1_024
HOP_SAMPLES = 300
BAND_HZ = (80.0, 700.0)
# More than the source by so much is not charged.
MARGIN_DB = 3.0
# What lies so far under the voiced sound is silence.
SILENCE_DB = -50.0
_MOST_DB = 30.0


class FloorLoss(nn.Module):
    """Mean excess over the source, in units of 10 dB, between 80 and 700 Hz.

    Only frames count whose pitch is 0 as is that of both neighbours. Both sounds have one level.

    Shape: ``made, source: [B, S]`` 24 kHz, ``f0_hz: [B, S // 300]`` -> scalar, 0 to 3.
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, made: Tensor, source: Tensor, f0_hz: Tensor) -> Tensor:
        with torch.autocast(made.device.type, enabled=False):
            frames = f0_hz.shape[1]
            ours, theirs = (self._power(sound)[:, :frames] for sound in (made, source))
            voiced = (f0_hz > 0).float()
            loud = (theirs * voiced).sum(1) / voiced.sum(1).clamp_min(1)
            silence = (10 ** (SILENCE_DB / 10) * loud + 1e-8)[:, None]
            excess_db = 10 * torch.log10((ours + silence) / (theirs + silence))
            near = F.max_pool1d(voiced[:, None], 5, 1, 2)[:, 0]
            weight = 1.0 - near
            cost = (excess_db - MARGIN_DB).clamp(0.0, _MOST_DB) / 10
            mean: Tensor = (cost * weight).sum() / weight.sum().clamp_min(1)
            return mean

    def _power(self, audio: Tensor) -> Tensor:
        """Return the power of the band, ``[B, S] -> [B, S // 300 + 1]``."""
        spectrum = torch.stft(
            audio.float(), N_FFT, HOP_SAMPLES, window=self.window, return_complex=True
        )
        low, high = (round(hz * N_FFT / SAMPLE_RATE_HZ) for hz in BAND_HZ)
        band = spectrum[:, low : high + 1]
        return (band.real.square() + band.imag.square()).sum(1)
