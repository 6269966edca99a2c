"""Networks that tell real sound from made sound, and one person's from another's.

Source: multi-period discriminator of HiFi-GAN (Kong et al. 2020) and the multi-resolution
spectrogram discriminator of UnivNet (Jang et al. 2021), at about a third of
their width; projection discriminator (Miyato and Koyama 2018), with mismatched pairs (Reed et al.
2016).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from autovoice.nn.style_encoder import MEL_BANDS

Features = list[Tensor]


class PeriodDiscriminator(nn.Module):
    """Fold the wave at one period and look down the columns."""

    def __init__(self, period: int, width: int = 24) -> None:
        super().__init__()
        self.period = period
        sizes = [1, width, 4 * width, 8 * width, 16 * width]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in pairwise(sizes)
        )
        self.last = weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, audio: Tensor) -> tuple[Tensor, Features]:
        extra = -audio.shape[1] % self.period
        x = F.pad(audio[:, None], (0, extra), mode="reflect")
        x = x.reshape(x.shape[0], 1, -1, self.period)
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            features.append(x)
        return self.last(x), features


class SpectrumDiscriminator(nn.Module):
    """Look at the magnitude spectrogram at one resolution."""

    window: Tensor

    def __init__(self, n_fft: int, width: int = 32) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.convs = nn.ModuleList(
            [weight_norm(nn.Conv2d(1, width, (3, 9), padding=(1, 4)))]
            + [
                weight_norm(nn.Conv2d(width, width, (3, 9), stride=(1, 2), padding=(1, 4)))
                for _ in range(3)
            ]
            + [weight_norm(nn.Conv2d(width, width, 3, padding=1))]
        )
        self.last = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> tuple[Tensor, Features]:
        with torch.autocast(audio.device.type, enabled=False):
            spectrum = torch.stft(
                audio.float(), self.n_fft, self.n_fft // 4, window=self.window, return_complex=True
            )
            x = torch.log1p(20 * spectrum.abs()).transpose(1, 2)[:, None]
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
            features.append(x)
        return self.last(x), features


class VoiceCritic(nn.Module):
    """Say whether a sound is real and that person's, frame by frame.

    A speaker network that was trained once can be fooled: a model learns to please it without
    sounding like anybody. This one learns on while it is pleased.

    Shape: ``mel: [B, 80, T]`` of ``Mel24k``, ``person: [B, D]`` -> ``[B, T']``.
    """

    def __init__(self, channels: int = 256, person_dim: int = 192) -> None:
        super().__init__()
        self.inward = weight_norm(nn.Conv1d(MEL_BANDS, channels, 5, padding=2))
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, channels, 5, stride=s, padding=2 * d, dilation=d))
            for s, d in ((1, 1), (2, 1), (1, 2), (2, 1), (1, 2))
        )
        self.real = weight_norm(nn.Conv1d(channels, 1, 3, padding=1))
        self.person = nn.Sequential(
            nn.Linear(person_dim, channels), nn.LeakyReLU(0.2), nn.Linear(channels, channels)
        )

    def forward(self, mel: Tensor, person: Tensor) -> Tensor:
        x = mel[:, :MEL_BANDS]
        # How loud somebody speaks says nothing of who it is.
        x = F.leaky_relu(self.inward(x - x.mean(dim=(1, 2), keepdim=True)), 0.2)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        # A unit vector of D numbers has entries near D ** -0.5: bring them to one.
        named = self.person(person * person.shape[1] ** 0.5)
        score: Tensor = self.real(x)[:, 0] + (x * named[:, :, None]).mean(1)
        return score


class Discriminators(nn.Module):
    """All of them: ``audio: [B, T]`` -> (scores, features) of each."""

    def __init__(self) -> None:
        super().__init__()
        self.all = nn.ModuleList(
            [PeriodDiscriminator(period) for period in (2, 3, 5, 7, 11)]
            + [SpectrumDiscriminator(size) for size in (512, 1024, 2048)]
        )

    def forward(self, audio: Tensor) -> list[tuple[Tensor, Features]]:
        return [network(audio) for network in self.all]
