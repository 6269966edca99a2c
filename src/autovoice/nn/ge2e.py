"""GE2E speaker embedding: three LSTM layers over 1.6 s of mel spectrum.

Source: Wan et al., "Generalized end-to-end loss for speaker verification", 2018; weights of
Resemblyzer (Apache-2.0).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.mel_bank import slaney_bank

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
MELS = 40
PARTIAL_FRAMES = 160


class SpeakerMel(nn.Module):
    """The power mel spectrum that the network was trained on (no logarithm).

    Shape: ``[B, T]`` at 16 kHz -> ``[B, T // 160 + 1, 40]``, frame ``k`` centred on sample 160 k.
    """

    window: Tensor
    bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        bank = slaney_bank(bands=MELS, n_fft=WINDOW_SAMPLES, sample_rate_hz=SAMPLE_RATE_HZ)
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("bank", bank, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = torch.stft(
                samples.float(),
                WINDOW_SAMPLES,
                HOP_SAMPLES,
                window=self.window,
                pad_mode="constant",
                return_complex=True,
            )
            return (self.bank @ spectrum.abs().square()).transpose(1, 2)


class SpeakerNetwork(nn.Module):
    """Embed one partial. Shape: ``mel: [B, 160, 40]`` -> unit vectors ``[B, 256]``."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MELS, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mel: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mel)
        return F.normalize(F.relu(self.linear(hidden[-1])), dim=1)
