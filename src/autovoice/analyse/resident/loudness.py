"""Level and energy of vocals, for a batch; see ``analyse.loudness``."""

from __future__ import annotations

from torch import Tensor

from autovoice.analyse.loudness import ACTIVE_RANGE, ACTIVE_RMS, LARGEST_GAIN
from autovoice.kernels import library
from autovoice.nn.mel24k import Mel24k, log_norm


def level_gain(samples: Tensor, sample_rate_hz: int) -> Tensor:
    """Return the gains that bring recordings to the model's level, ``[B, T] -> [B, 1]``."""
    size = sample_rate_hz // 20
    whole = samples[:, : samples.shape[1] // size * size]
    power = whole.reshape(len(samples), -1, size).square().mean(2).double()
    loudest = power.amax(1, keepdim=True)
    active = (power > loudest * ACTIVE_RANGE).double()
    mean = (power * active).sum(1, keepdim=True) / active.sum(1, keepdim=True).clamp_min(1)
    gain = (ACTIVE_RMS / mean.clamp_min(1e-30).sqrt()).clamp_max(LARGEST_GAIN)
    return gain.where(loudest > 1e-12, 1.0).float()


def decoder_energy(mel: Mel24k, samples: Tensor, gain: Tensor) -> Tensor:
    """Return the decoder's energy of sounds made louder, ``[B, T] -> [B, T // 300]``."""
    norm = mel.log_norm(samples) if library.enabled("log_mel") else log_norm(mel.plain(samples))
    return norm + 2 * gain.log()
