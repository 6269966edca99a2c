"""The loudness curve that the decoder is driven with."""

from __future__ import annotations

import numpy as np
import torch

from autovoice.errors import InputError
from autovoice.nn.mel24k import HOP_SAMPLES, N_FFT, SAMPLE_RATE_HZ, Mel24k, log_norm, pad_ends
from autovoice.types import Curve, FloatArray

# A straight line that fits the curves which Kokoro's own predictor gives its decoder against
# the norm of the mel of what the decoder then says (correlation 0.980).
GAIN = 0.976
OFFSET = 0.42
_CHUNK_FRAMES = 2400


def energy_of_mel(mel: torch.Tensor) -> torch.Tensor:
    """Turn the normalised log-mel into the decoder's energy, ``[B, 80, F] -> [B, F]``."""
    return GAIN * log_norm(mel) + OFFSET


def decoder_energy(samples: FloatArray) -> Curve:
    """Measure the decoder's energy curve: log units, 80 frames/s, frame ``k`` at ``k / 80`` s.

    Args:
        samples: ``[T]`` mono at 24 kHz, of any length (memory stays flat).

    Shape: ``[T]`` -> ``[T // 300]``; digital silence reads -8.7.

    Raises:
        InputError: not mono.
    """
    if samples.ndim != 1:
        raise InputError(
            f"energy: found samples of shape {list(samples.shape)}, expected mono [T] at 24 kHz; "
            "mix the channels down first"
        )
    frames = len(samples) // HOP_SAMPLES
    audio = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))[None]
    values = np.zeros(frames, dtype=np.float32)
    mel = Mel24k()
    with torch.inference_mode():
        padded = pad_ends(audio)
        for first in range(0, frames, _CHUNK_FRAMES):
            end = min(first + _CHUNK_FRAMES, frames)
            cut = padded[:, first * HOP_SAMPLES : (end - 1) * HOP_SAMPLES + N_FFT]
            values[first:end] = energy_of_mel(mel.of_padded(cut))[0].numpy()
    return Curve(values, HOP_SAMPLES / SAMPLE_RATE_HZ)
