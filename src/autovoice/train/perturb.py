"""Disguise who speaks in what the content path hears, so that timbre must come from the style.

Source: vocal tract length perturbation (Jaitly and Hinton 2013); random spectral tilt and colour
as in NANSY (Choi et al. 2021), here applied to the log-mel spectrum itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def disguise(
    log_mel: Tensor,
    generator: torch.Generator,
    *,
    warp: float = 0.16,
    colour_db: float = 5.0,
    unit_per_db: float = 0.025,
) -> Tensor:
    """Warp the mel axis and colour the spectrum of each item at random.

    Args:
        log_mel: ``[B, M, T]`` the recogniser's input, 0.25 units per decade of power.
        warp: largest stretch of the mel axis, as a share.
        colour_db: largest boost and cut of the random smooth equaliser.
        unit_per_db: units of the spectrum per dB. Default Whisper's.

    Shape: ``[B, M, T]``.
    """
    batch, bands, _ = log_mel.shape
    device = log_mel.device

    def rand(*size: int) -> Tensor:
        return torch.rand(*size, generator=generator, device=device)

    stretch = 1 + (2 * rand(batch, 1) - 1) * warp
    place = torch.arange(bands, device=device)[None] * stretch
    # Stretch only below three quarters of the axis and join the top end: the edges stay.
    knee = 0.75 * bands
    top = (bands - 1 - knee * stretch) / (bands - 1 - knee)
    upper = knee * stretch + (torch.arange(bands, device=device)[None] - knee) * top
    place = torch.where(torch.arange(bands, device=device)[None] < knee, place, upper)
    left = place.floor().long().clamp(0, bands - 2)
    part = (place - left).clamp(0, 1)[:, :, None]
    low = log_mel.gather(1, left[:, :, None].expand_as(log_mel))
    high = log_mel.gather(1, (left + 1)[:, :, None].expand_as(log_mel))
    warped = low * (1 - part) + high * part
    knots = (2 * rand(batch, 1, 8) - 1) * colour_db * unit_per_db
    curve = F.interpolate(knots, size=bands, mode="linear", align_corners=True)
    # A random noise floor, 36 to 80 dB under the peak, drowns what a studio would not hear.
    below_db = 80 - 44 * rand(batch, 1, 1)
    floor = warped.amax(dim=(1, 2), keepdim=True) - below_db * unit_per_db
    neper = unit_per_db * 10 / math.log(10)
    coloured = (warped + curve.transpose(1, 2)) / neper
    return torch.logaddexp(coloured, (floor / neper).expand_as(coloured)) * neper
