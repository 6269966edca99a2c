"""Keep consonants: where nothing is voiced, a conversion has the source's spectrum above 2 kHz.

Words survive a conversion by their consonants, and those differ little from person to person. A
decoder that is charged for its words by the recogniser alone smears them: frames of 20 ms that the
recogniser averages, in melodies whose pitch it seldom heard.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.mel24k import MEAN, SCALE
from autovoice.train.contrast import BANDS, bands_inside

_LOWEST_HZ = 2_000.0
# In natural logarithms of power: 35 dB, 3 dB and 6 dB.
_LOUD, _TOLERANCE, _EQUALISER = 8.0, 0.7, 1.4
_SILENCE = 1e-5


def consonant_gap(made: Tensor, source: Tensor, f0_hz: Tensor, band_hz: Tensor) -> Tensor:
    """Return how far consonants lie from the source's, beyond what another person changes.

    Only frames count that have no pitch, nor have their neighbours, and that are less than 35 dB
    under the loudest. An equaliser of up to 6 dB that stays the same throughout is free (it is the
    other recording's colour), and so are 3 dB more.

    Args:
        made, source: log-mel spectra of ``Mel24k``, ``[B, 80, T]``.
        f0_hz: ``[B, F]`` at the same rate, 0 where nothing is voiced.
        band_hz: ``[B]`` up to where the source has sound.

    Returns:
        A scalar, 0 and more, natural logarithm of power (0.23 is one dB).
    """
    frames = min(made.shape[2], f0_hz.shape[1])
    ours, theirs = (_log_power(mel[..., :frames]) for mel in (made, source))
    level = theirs.logsumexp(1)
    loud = level > level.amax(1, keepdim=True) - _LOUD
    voiced = F.max_pool1d((f0_hz[:, None, :frames] > 0).float(), 3, 1, 1)[:, 0] > 0
    low = bands_inside(torch.full_like(band_hz, _LOWEST_HZ))
    weight = (bands_inside(band_hz) - low).clamp_min(0) * (loud & ~voiced).float()[:, None]
    apart = ours - theirs
    colour = (apart * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True).clamp_min(1.0)
    apart = apart - colour.clamp(-_EQUALISER, _EQUALISER)
    return (F.relu(apart.abs() - _TOLERANCE) * weight).sum() / weight.sum().clamp_min(1.0)


def _log_power(log_mel: Tensor) -> Tensor:
    """Return log power smoothed over 3 bands, ``[B, 80, T]`` -> ``[B, 67, T]``."""
    power = torch.exp(SCALE * log_mel[:, :BANDS].float() + MEAN)
    return torch.log(F.avg_pool2d(power[:, None], (3, 1), 1, (1, 0))[:, 0] + _SILENCE)
