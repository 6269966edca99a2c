"""Keep a high note from falling an octave: no sound between its harmonics.

The pitch loss is flat beyond two semitones, since its reader slips octaves itself; here nothing is
read. The imposed pitch says where the harmonics lie, and a note that has fallen an octave shows at
the odd multiples of half of it.

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
_STEADY_OCTAVES = 0.03


class OctaveLoss(nn.Module):
    """Share of the sound that lies half-way between the first harmonics.

    Only steady voiced frames between 190 and 1,250 Hz count.

    Shape: ``audio: [B, S]`` 24 kHz, ``f0_hz: [B, S // 300]`` -> scalar, 0 to 1.
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, audio: Tensor, f0_hz: Tensor) -> Tensor:
        with torch.autocast(audio.device.type, enabled=False):
            spectrum = torch.stft(
                audio.float(), N_FFT, HOP_SAMPLES, window=self.window, return_complex=True
            )
            power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2)
            # Frame t is centred at t * 600 samples, between pitch frames 2 t - 1 and 2 t.
            low, high = f0_hz[:, 1:-1:2], f0_hz[:, 2::2]
            middle = 0.5 * (low + high)
            power = power[:, 1 : 1 + middle.shape[1]]
            harmonic = sum(_around(power, middle * k) for k in (1.0, 2.0, 3.0))
            between = sum(_around(power, middle * k) for k in (0.5, 1.5, 2.5))
            share = between / (harmonic + between + 1e-4)
            steady = (low > 0) & (high > 0) & ((middle >= LEAST_HZ) & (middle <= MOST_HZ))
            apart = torch.log2(high.clamp_min(1) / low.clamp_min(1)).abs()
            weight = (steady & (apart < _STEADY_OCTAVES)).float()
            mean: Tensor = (share * weight).sum() / weight.sum().clamp_min(1)
            return mean


def _around(power: Tensor, hz: Tensor) -> Tensor:
    """Sum the power of the three bins nearest to ``hz: [B, F]`` in ``[B, F, bins]``."""
    centre = (hz * (N_FFT / SAMPLE_RATE_HZ)).round().long().clamp(1, power.shape[2] - 2)
    place = torch.stack([centre - 1, centre, centre + 1], dim=2)
    return power.gather(2, place).sum(2)
