"""The excitation of the vocoder: harmonics of F0 where voiced, noise where not.

Source: neural source-filter models (Wang, Takaki and Yamagishi 2019) with the constants of
Kokoro-82M (8 overtones, amplitude 0.1, noise 0.003 in voiced frames, a third of 0.1 elsewhere).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.kernels.harmonic_source import (
    SINE_AMPLITUDE,
    UNVOICED_BELOW_HZ,
    VOICED_NOISE,
    fill_gaps,
)


class HarmonicSource(nn.Module):
    """Turn a pitch curve into one excitation signal.

    Args:
        sample_rate_hz: rate of the output. Default 24,000.
        hop_samples: samples per F0 frame. Default 300 (80 frames/s).
        overtones: harmonics above the fundamental. Default 8.
    """

    def __init__(
        self, sample_rate_hz: int = 24_000, hop_samples: int = 300, overtones: int = 8
    ) -> None:
        super().__init__()
        self.sample_rate_hz = sample_rate_hz
        self.hop_samples = hop_samples
        self.harmonics = overtones + 1
        self.l_linear = nn.Linear(self.harmonics, 1)

    def forward(
        self, f0_hz: Tensor, noise: Tensor | None = None, start_phase: Tensor | None = None
    ) -> Tensor:
        """Make the excitation.

        Args:
            f0_hz: ``[B, F]``, frame ``k`` centred at ``(k + 0.5) * hop``; below 10 Hz is unvoiced.
            noise: ``[B, F * hop]`` standard normal; None for a source without noise.
            start_phase: ``[B]`` cycles at the sample before the first, to go on where a chunk
                ended. Default 0.

        Shape: ``[B, F * hop]``.
        """
        with torch.no_grad(), torch.autocast(f0_hz.device.type, enabled=False):
            f0_hz = f0_hz.float()
            voiced = (f0_hz > UNVOICED_BELOW_HZ).float()
            gate = voiced.repeat_interleave(self.hop_samples, dim=1)
            f0_samples = self._upsample(fill_gaps(f0_hz))
            cycles = self._turned(f0_samples)
            if start_phase is not None:
                cycles = cycles + start_phase.double()[:, None]
            # Harmonic numbers multiply whole cycles away only in exact arithmetic: wrap first.
            phase = torch.remainder(cycles, 1.0).float()
            order = torch.arange(1, self.harmonics + 1, device=f0_hz.device, dtype=torch.float32)
            angle = torch.remainder(phase[:, :, None] * order, 1.0) * (2 * math.pi)
            # A harmonic above the Nyquist frequency would fold back as a wrong tone.
            below = (f0_samples[:, :, None] * order < self.sample_rate_hz / 2).float()
            waves = SINE_AMPLITUDE * torch.sin(angle) * gate[:, :, None] * below
            if noise is not None:
                level = gate * VOICED_NOISE + (1 - gate) * (SINE_AMPLITUDE / 3)
                waves = waves + (level * noise)[:, :, None]
        mixed: Tensor = torch.tanh(self.l_linear(waves)).squeeze(-1)
        return mixed

    def cycles(self, f0_hz: Tensor) -> Tensor:
        """Return how often the fundamental has turned up to each sample, from 0 on.

        Shape: ``[B, F]`` -> ``[B, F * hop]``, float64.
        """
        with torch.no_grad(), torch.autocast(f0_hz.device.type, enabled=False):
            return self._turned(self._upsample(fill_gaps(f0_hz.float())))

    def _turned(self, f0_samples: Tensor) -> Tensor:
        return torch.cumsum(f0_samples.double() / self.sample_rate_hz, dim=1)

    def _upsample(self, f0_hz: Tensor) -> Tensor:
        """Interpolate linearly between frame centres, flat beyond the outer ones."""
        return F.interpolate(
            f0_hz[:, None], scale_factor=self.hop_samples, mode="linear", align_corners=False
        )[:, 0]
