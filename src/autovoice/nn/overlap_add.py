"""Put windowed frames together again, as ``torch.istft`` does.

That asks the device whether its windows overlap, which makes the processor wait and stops the
capture of a graph.

Source: weighted overlap-add (Griffin and Lim 1984).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def overlap_add(spectrum: Tensor, window: Tensor, hop_samples: int, length: int) -> Tensor:
    """Return the sound of one-sided spectra of centred frames.

    Args:
        spectrum: complex ``[B, bins, frames]``.
        window: ``[n_fft]``; with its hop it leaves no sample uncovered.
        hop_samples: between frames.
        length: samples wanted, at most those of the frames.

    Shape: ``[B, length]``.
    """
    n_fft, frames = len(window), spectrum.shape[2]
    rows = torch.fft.irfft(spectrum, n_fft, dim=1) * window[:, None]
    weight = window.square()[None, :, None].expand(1, -1, frames)
    whole = (frames - 1) * hop_samples + n_fft
    added = F.fold(torch.cat([rows, weight]), (1, whole), (1, n_fft), stride=(1, hop_samples))
    cut = added[:, 0, 0, n_fft // 2 : n_fft // 2 + length]
    return cut[:-1] / cut[-1]
