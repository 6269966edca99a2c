"""The GE2E speaker network: who speaks, from 40 mel bands."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from autovoice.nn.mel_bank import slaney_bank

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
BANDS = 40
WIDTH = 256
PARTIAL_FRAMES = 160


class Ge2eMel(nn.Module):
    """Turn 16 kHz sound into the network's input: mel power, not its logarithm.

    Shape: ``samples: [B, T]`` -> ``[B, T // 160 + 1, 40]`` float32; frame ``k`` is centred on
    sample ``160 k``; beyond the ends there is silence.
    """

    window: torch.Tensor
    bank: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        bank = slaney_bank(bands=BANDS, n_fft=WINDOW_SAMPLES, sample_rate_hz=SAMPLE_RATE_HZ)
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("bank", bank.t().contiguous(), persistent=False)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Compute the mel power."""
        half = WINDOW_SAMPLES // 2
        with torch.autocast(samples.device.type, enabled=False):
            spectrum = torch.stft(
                functional.pad(samples.float(), (half, half)),
                WINDOW_SAMPLES,
                HOP_SAMPLES,
                window=self.window,
                center=False,
                return_complex=True,
            )
            return spectrum.abs().square().transpose(1, 2) @ self.bank


class Ge2eNetwork(nn.Module):
    """Three recurrent layers, the last state projected, rectified and scaled to length 1.

    Shape: ``mel: [B, F, 40]`` -> ``[B, 256]``; F is 160 (1.6 s) as in training.

    Source: Wan et al., "Generalized end-to-end loss for speaker verification", 2018; weights by
    Resemble AI.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, num_layers=3, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Embed a batch of stretches of equal length."""
        _, (state, _) = self.lstm(mel)
        return functional.normalize(torch.relu(self.linear(state[-1])), dim=1)
