"""The decoder: words, pitch, energy and a style in, 24 kHz sound out.

Source: StyleTTS 2 (Li et al. 2023) with an iSTFTNet vocoder (Kaneko et al. 2022) and a harmonic
source, at the sizes of Kokoro-82M (hexgrad, Apache-2.0): 53.25 M parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.adain import AdainResBlk1d, AdaINResBlock1
from autovoice.nn.harmonic_source import HarmonicSource
from autovoice.nn.inverse_stft import InverseStft

SAMPLE_RATE_HZ = 24_000
FRAME_SAMPLES = 600
STYLE_DIM = 128
ASR_DIM = 512
_KERNELS = (3, 7, 11)
_N_FFT = 20
_HOP = 5
_BINS = _N_FFT // 2 + 1


def _as_it_is(x: Tensor) -> Tensor:
    return x


class Generator(nn.Module):
    """The vocoder half: features at 80 frames/s to a waveform, 300 samples each."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.m_source = HarmonicSource()
        self.ups = nn.ModuleList(
            [
                nn.ConvTranspose1d(512, 256, 20, stride=10, padding=5),
                nn.ConvTranspose1d(256, 128, 12, stride=6, padding=3),
            ]
        )
        self.noise_convs = nn.ModuleList(
            [
                nn.Conv1d(2 * _BINS, 256, 12, stride=6, padding=3),
                nn.Conv1d(2 * _BINS, 128, 1),
            ]
        )
        self.noise_res = nn.ModuleList([AdaINResBlock1(256, 7), AdaINResBlock1(128, 11)])
        self.resblocks = nn.ModuleList(
            AdaINResBlock1(channels, kernel) for channels in (256, 128) for kernel in _KERNELS
        )
        self.conv_post = nn.Conv1d(128, 2 * _BINS, 7, padding=3)
        self.register_buffer("window", torch.hann_window(_N_FFT), persistent=False)
        self.inverse = InverseStft(_N_FFT, _HOP)
        # How sounds lie in memory, which a training may change.
        self.arrange: Callable[[Tensor], Tensor] = _as_it_is

    def forward(self, x: Tensor, style: Tensor, source: Tensor) -> Tensor:
        """Filter the excitation ``source: [B, T]`` by ``x: [B, 512, T // 300]``."""
        harmonics = self._analyse(source)
        for index, (up, noise_conv, noise_res) in enumerate(
            zip(self.ups, self.noise_convs, self.noise_res, strict=True)
        ):
            x = up(F.leaky_relu(x, 0.1))
            if index == 1:
                x = F.pad(x, (1, 0), mode="reflect")
            x = self.arrange(x) + noise_res(self.arrange(noise_conv(harmonics)), style)
            first, second, third = self.resblocks[3 * index : 3 * index + 3]
            x = (first(x, style) + second(x, style)).add_(third(x, style)).div_(3)
        x = self.conv_post(F.leaky_relu(x))
        return self._synthesise(x.float())

    def _analyse(self, source: Tensor) -> Tensor:
        with torch.autocast(source.device.type, enabled=False):
            spectrum = torch.stft(
                source.float(), _N_FFT, _HOP, window=self.window, return_complex=True
            )
            return torch.cat([spectrum.abs(), spectrum.angle()], dim=1)

    def _synthesise(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            magnitude = torch.exp(x[:, :_BINS].clamp(max=10.0))
            phase = torch.sin(x[:, _BINS:])
            sound: Tensor = self.inverse(magnitude * phase.cos(), magnitude * phase.sin())
            return sound


class KokoroDecoder(nn.Module):
    """The whole decoder; parameter names equal the keys ``decoder.*`` of ``kokoro-82m``."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = AdainResBlk1d(ASR_DIM + 2, 1024)
        self.decode = nn.ModuleList(
            [AdainResBlk1d(1024 + 2 + 64, 1024) for _ in range(3)]
            + [AdainResBlk1d(1024 + 2 + 64, 512, upsample=True)]
        )
        self.F0_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.N_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.asr_res = nn.Sequential(nn.Conv1d(ASR_DIM, 64, 1))
        self.generator = Generator()

    def forward(
        self,
        asr: Tensor,
        f0_hz: Tensor,
        energy: Tensor,
        style: Tensor,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Decode.

        Args:
            asr: ``[B, 512, T]`` words at 40 frames/s, frame ``j`` centred at ``(j + 0.5) * 25`` ms.
            f0_hz: ``[B, 2 T]``, frame ``k`` centred at ``(k + 0.5) / 80`` s, 0 where unvoiced.
            energy: ``[B, 2 T]``, frame ``k`` centred at ``k / 80`` s, log units.
            style: ``[B, 128]`` timbre.
            noise: ``[B, 600 T]`` standard normal for breath and consonants; None for none.

        Shape: ``[B, 600 T]``, float32.
        """
        source = self.generator.m_source(f0_hz, noise)
        x = self.features(asr, f0_hz, energy, style)
        audio: Tensor = self.generator(x, style, source)
        return audio

    def features(self, asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor) -> Tensor:
        """Run the first half: ``[B, 512, 2 T]`` at 80 frames/s."""
        curves = torch.cat([self.F0_conv(f0_hz[:, None]), self.N_conv(energy[:, None])], dim=1)
        x: Tensor = self.encode(torch.cat([asr, curves], dim=1), style)
        extra = torch.cat([self.asr_res(asr), curves], dim=1)
        for block in self.decode:
            x = block(torch.cat([x, extra], dim=1), style)
        return x
