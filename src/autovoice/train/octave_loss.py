"""Keep a note in its octave: no sound between its harmonics, and none of them left out.

The pitch loss is flat beyond two semitones, since its reader slips octaves itself; here nothing is
read. The imposed pitch says where the harmonics lie. A note that has fallen an octave shows at
the odd multiples of half of it, one that has risen lacks its odd harmonics.

Source: after the subharmonic-to-harmonic ratio (Sun 2002).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SAMPLE_RATE_HZ = 24_000
N_FFT = 2_048
HOP_SAMPLES = 600
# Below, harmonics lie too near for the window; above, nobody sings.
LEAST_HZ, MOST_HZ = 190.0, 1_250.0
# A voice that never sang so low leaves the odd harmonics of a low note out. Measured on notes near
# 105 Hz in a woman's voice: share of the odd among the first six 0.07 where Harvest heard the
# octave above, 0.12 and more where it did not, 0.7 in the man who sang them.
LOW_HZ = (70.0, 220.0)
ODD_SHARE = 0.3
_STEADY_OCTAVES = 0.03


class _Harmonics(nn.Module):
    """Power around multiples of the imposed pitch, and where that pitch is steady."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def read(
        self, audio: Tensor, f0_hz: Tensor, bounds_hz: tuple[float, float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return power ``[B, T, bins]``, pitch ``[B, T]``, and 1 where it is steady in bounds."""
        spectrum = torch.stft(
            audio.float(), N_FFT, HOP_SAMPLES, window=self.window, return_complex=True
        )
        power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)
        # Frame t is centred at t * 600 samples, between pitch frames 2 t - 1 and 2 t.
        low, high = f0_hz[:, 1:-1:2], f0_hz[:, 2::2]
        middle = 0.5 * (low + high)
        apart = torch.log2(high.clamp_min(1) / low.clamp_min(1)).abs()
        inside = (middle >= bounds_hz[0]) & (middle <= bounds_hz[1])
        steady = (low > 0) & (high > 0) & inside & (apart < _STEADY_OCTAVES)
        return power[:, 1 : 1 + middle.shape[1]], middle, steady.float()


class OctaveLoss(_Harmonics):
    """Share of the sound that lies half-way between the first harmonics.

    Only steady voiced frames between 190 and 1,250 Hz count.

    Shape: ``audio: [B, S]`` 24 kHz, ``f0_hz: [B, S // 300]`` -> scalar, 0 to 1.
    """

    def forward(self, audio: Tensor, f0_hz: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            power, hz, weight = self.read(audio, f0_hz, (LEAST_HZ, MOST_HZ))
            harmonic = _sum_around(power, hz, (1.0, 2.0, 3.0))
            between = _sum_around(power, hz, (0.5, 1.5, 2.5))
            share = between / (harmonic + between + 1e-4)
            return _mean(share, weight)


class DoublingLoss(_Harmonics):
    """How much the odd harmonics of low notes fall short of their share.

    Only steady voiced frames between 70 and 220 Hz count.

    Shape: ``audio: [B, S]`` 24 kHz, ``f0_hz: [B, S // 300]`` -> scalar, 0 to 1.
    """

    def forward(self, audio: Tensor, f0_hz: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            power, hz, weight = self.read(audio, f0_hz, LOW_HZ)
            odd = _sum_around(power, hz, (1.0, 3.0, 5.0))
            even = _sum_around(power, hz, (2.0, 4.0, 6.0))
            missing = (1.0 - odd / (ODD_SHARE * (odd + even) + 1e-4)).clamp_min(0.0)
            return _mean(missing, weight)


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    return (value * weight).sum() / weight.sum().clamp_min(1)


def _sum_around(power: Tensor, hz: Tensor, multiples: tuple[float, ...]) -> Tensor:
    """Add up the power around several multiples of ``hz: [B, F]``."""
    return torch.stack([_around(power, hz * k) for k in multiples]).sum(0)


def _around(power: Tensor, hz: Tensor) -> Tensor:
    """Sum the power of the three bins nearest to ``hz: [B, F]`` in ``[B, F, bins]``."""
    centre = (hz * (N_FFT / SAMPLE_RATE_HZ)).round().long().clamp(1, power.shape[2] - 2)
    place = torch.stack([centre - 1, centre, centre + 1], dim=2)
    return power.gather(2, place).sum(2)
