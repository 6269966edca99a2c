"""Whisper's log-mel spectrum."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from autovoice.kernels import LogScale, band_spans, log_mel, takes_log_mel
from autovoice.nn.mel_bank import slaney_bank

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
BANDS = 80
_LEAST_POWER = 1e-10
_RANGE_LOG10 = 8.0
_SCALE = LogScale(least=_LEAST_POWER, scale=1 / math.log(10))


class WhisperMel(nn.Module):
    """Turn 16 kHz sound into Whisper's input: 80 log-mel bands at 100 frames/s.

    Shape: ``samples: [B, T]`` -> ``mel: [B, 80, ceil(T / 160)]`` float32; frame ``k`` is centred
    on sample ``160 k``.

    Source: Radford et al., "Robust speech recognition via large-scale weak supervision", 2022.
    """

    window: torch.Tensor
    bank: torch.Tensor
    spans: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        bank = slaney_bank(bands=BANDS, n_fft=WINDOW_SAMPLES, sample_rate_hz=SAMPLE_RATE_HZ)
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("spans", band_spans(bank), persistent=False)

    def forward(self, samples: torch.Tensor, peak: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the log-mel spectrum.

        Args:
            samples: ``[B, T]`` float, T at least 1.
            peak: ``[B]`` log10 power of the loudest band, which sets the floor 80 dB below it; by
                default each item's own. Pass that of the whole recording (``peak_log10``) to give
                every chunk the same floor.
        """
        log_power = self.log10_power(samples)
        if peak is None:
            peak = log_power.amax(dim=(1, 2))
        floor = (peak - _RANGE_LOG10)[:, None, None]
        return (torch.maximum(log_power, floor) + 4.0) / 4.0

    def peak_log10(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the log10 power of the loudest band of each item, ``[B, T]`` -> ``[B]``."""
        return self.log10_power(samples).amax(dim=(1, 2))

    def log10_power(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the mel power as log10, without floor and scaling: ``[B, 80, ceil(T / 160)]``."""
        return self.fused(samples) if takes_log_mel(samples) else self.plain(samples)

    def plain(self, samples: torch.Tensor) -> torch.Tensor:
        """Return ``log10_power`` by PyTorch's layers."""
        length = samples.shape[-1]
        frames = -(-length // HOP_SAMPLES)
        # The transform is sensitive to rounding: keep it in float32 under autocast too.
        with torch.autocast(samples.device.type, enabled=False):
            audio = self._edges(samples.float(), frames * HOP_SAMPLES - length)
            spectrum = torch.stft(
                audio,
                WINDOW_SAMPLES,
                HOP_SAMPLES,
                window=self.window,
                center=False,
                return_complex=True,
            )
            power = spectrum[..., :frames].abs().square()
            return (self.bank @ power).clamp_min(_LEAST_POWER).log10()

    def fused(self, samples: torch.Tensor) -> torch.Tensor:
        """Return ``log10_power`` by one op."""
        length = samples.shape[-1]
        frames = -(-length // HOP_SAMPLES)
        mirror = max(frames * HOP_SAMPLES, WINDOW_SAMPLES // 2 + 1)
        return log_mel(
            samples.float(), [self.window], [self.bank], [self.spans],
            hop_samples=HOP_SAMPLES, frames=frames, mirror=mirror, scale=_SCALE,
        )[:, 0]  # fmt: skip

    @staticmethod
    def _edges(samples: torch.Tensor, missing: int) -> torch.Tensor:
        """Mirror half a window before the start and after the end."""
        half = WINDOW_SAMPLES // 2
        filled = functional.pad(samples, (0, max(missing, half + 1 - samples.shape[-1])))
        return functional.pad(filled, (half, half), mode="reflect")
