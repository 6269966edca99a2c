"""The loudness curve that the decoder is driven with."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from autovoice.errors import InputError
from autovoice.nn.mel24k import HOP_SAMPLES, N_FFT, SAMPLE_RATE_HZ, Mel24k, log_norm, pad_ends
from autovoice.types import Curve, FloatArray

# The level at which the voice model hears every vocal and every reference.
ACTIVE_RMS = 0.06
ACTIVE_RANGE = 1e-3
LARGEST_GAIN = 30.0
# Frames of 50 ms that are squared at once: a minute, so that memory stays flat.
_LEVEL_BLOCK = 1200
_CHUNK_FRAMES = 2400


@cache
def _mel() -> Mel24k:
    return Mel24k()


def level_gain(samples: FloatArray, sample_rate_hz: int) -> float:
    """Return the gain that brings the active part of a recording to the model's level.

    Active are the 50 ms frames within 30 dB of the loudest. Silence gets gain 1.

    Args:
        samples: ``[T]`` mono.
        sample_rate_hz: their rate.

    Returns:
        A factor, at most 30 (29.5 dB).
    """
    size = max(1, sample_rate_hz // 20)
    whole = samples[: len(samples) // size * size]
    if not len(whole):
        return 1.0
    frames = whole.reshape(-1, size)
    blocks = [frames[at : at + _LEVEL_BLOCK] for at in range(0, len(frames), _LEVEL_BLOCK)]
    power = np.concatenate([np.square(b).mean(axis=1, dtype=np.float64) for b in blocks])
    loudest = float(power.max())
    if loudest <= 1e-12:
        return 1.0
    active = power[power > loudest * ACTIVE_RANGE]
    return min(ACTIVE_RMS / float(np.sqrt(active.mean())), LARGEST_GAIN)


def at_level(energy: Curve, gain: float) -> Curve:
    """Return the energy curve that the sound would have ``gain`` times louder."""
    return Curve(energy.values + np.float32(2 * np.log(gain)), energy.hop_s, energy.offset_s)


def decoder_energy(samples: FloatArray) -> Curve:
    """Measure the decoder's energy curve: log units, 80 frames/s, frame ``k`` at ``k / 80`` s.

    Args:
        samples: ``[T]`` mono at 24 kHz, of any length (memory stays flat).

    Shape: ``[T]`` -> ``[T // 300]``; digital silence reads -9.3.

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
    mel = _mel()
    with torch.inference_mode():
        padded = pad_ends(audio)
        for first in range(0, frames, _CHUNK_FRAMES):
            end = min(first + _CHUNK_FRAMES, frames)
            cut = padded[:, first * HOP_SAMPLES : (end - 1) * HOP_SAMPLES + N_FFT]
            values[first:end] = log_norm(mel.of_padded(cut))[0].numpy()
    return Curve(values, HOP_SAMPLES / SAMPLE_RATE_HZ)
