"""Sing with the source's own excitation: filter the recording to the converted spectrum.

Where the melody stays where it is, the recording already has the right pitch, the right breath and
the right phases; only its colour belongs to somebody else. So its spectral envelope is brought to
that of the converted vocal, and what has no pitch (breath, consonants, the room) stays as it is.

Source: direct waveform modification by spectral differentials (Kobayashi, Toda and Nakamura 2018,
"Intra-gender statistical singing voice conversion with direct waveform modification using
log-spectral differential"), with envelopes that are averaged over one spacing of harmonics (after
Morise 2015, CheapTrick).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.errors import InputError
from autovoice.types import FloatArray, Pitch

SAMPLE_RATE_HZ = 24_000
N_FFT = 1_024
HOP_SAMPLES = 120
# Blocks of this many hops are worked on at a time, so that memory stays flat.
BLOCK_HOPS = 4_000
_CONTEXT_HOPS = 40
_LEAST_HZ = 80.0


@dataclass(frozen=True)
class DifferentialOptions:
    """How the recording is filtered.

    Args:
        most_gain_db, least_gain_db: bounds of the filter.
        smooth_hops: hops of 5 ms over which the filter is averaged, at least 1.
    """

    most_gain_db: float = 30.0
    least_gain_db: float = -36.0
    smooth_hops: int = 3


def carry_excitation(
    source: FloatArray,
    converted: FloatArray,
    pitch: Pitch,
    *,
    gain: float = 1.0,
    device: str | torch.device = "cpu",
    options: DifferentialOptions | None = None,
) -> FloatArray:
    """Return the source with the converted vocal's colour.

    Args:
        source: ``[T]`` at 24 kHz, the vocal that was converted.
        converted: ``[T]`` at 24 kHz, the same at the same pitch in the other voice.
        pitch: of both.
        gain: of the source, to bring it to the converted vocal's level.
        device: where to filter.
        options: default ``DifferentialOptions()``.

    Shape: ``[T]``.

    Raises:
        InputError: the two are not of one length, or not mono.
    """
    if source.ndim != 1 or source.shape != converted.shape:
        raise InputError(
            f"differential: found source {list(source.shape)} and converted "
            f"{list(converted.shape)}, expected mono [T] of one length"
        )
    options = options or DifferentialOptions()
    hops = len(source) // HOP_SAMPLES + 1
    f0_hz = _at_hops(pitch, hops)
    made = np.empty(len(source), np.float32)
    for first in range(0, hops, BLOCK_HOPS):
        left = max(0, first - _CONTEXT_HOPS)
        right = min(hops, first + BLOCK_HOPS + _CONTEXT_HOPS)
        span = slice(left * HOP_SAMPLES, min(right * HOP_SAMPLES, len(source)))
        block = _filtered(
            source[span] * np.float32(gain), converted[span], f0_hz[left:right], device, options
        )
        begin = (first - left) * HOP_SAMPLES
        end = min((first + BLOCK_HOPS) * HOP_SAMPLES, len(source))
        made[first * HOP_SAMPLES : end] = block[begin : begin + end - first * HOP_SAMPLES]
    return made


def _at_hops(pitch: Pitch, hops: int) -> FloatArray:
    """Read F0 at every hop, nearest frame, ``[hops]``, 0 where unvoiced."""
    if not len(pitch.f0_hz):
        return np.zeros(hops, np.float32)
    place = (np.arange(hops) * (HOP_SAMPLES / SAMPLE_RATE_HZ) - pitch.offset_s) / pitch.hop_s
    nearest = np.clip(np.rint(place).astype(np.int64), 0, len(pitch.f0_hz) - 1)
    f0_hz: FloatArray = pitch.f0_hz[nearest].astype(np.float32)
    return f0_hz


def _filtered(
    source: FloatArray,
    converted: FloatArray,
    f0_hz: FloatArray,
    device: str | torch.device,
    options: DifferentialOptions,
) -> FloatArray:
    if not (f0_hz > 0).any():
        return source
    with torch.inference_mode():
        pair = torch.from_numpy(np.stack([source, converted]).astype(np.float32)).to(device)
        window = torch.hann_window(N_FFT, device=pair.device)
        spectrum = torch.stft(
            pair, N_FFT, HOP_SAMPLES, window=window, pad_mode="constant", return_complex=True
        )
        pitch = torch.from_numpy(f0_hz).to(pair.device)
        pitch = F.pad(pitch, (0, max(0, spectrum.shape[2] - len(f0_hz))))[: spectrum.shape[2]]
        factor = _gain(_envelope(spectrum, pitch), pitch, options)
        made = torch.istft(
            spectrum[:1] * factor, N_FFT, HOP_SAMPLES, window=window, length=len(source)
        )[0]
        mixed: FloatArray = made.cpu().numpy()
    return mixed


def _envelope(spectrum: Tensor, f0_hz: Tensor) -> Tensor:
    """Average power over one spacing of harmonics: complex ``[2, bins, hops]`` -> log amplitude.

    Power and not its logarithm: between the harmonics a decoder hisses more than a singer does,
    and what the ear hears of a vowel are the peaks.
    """
    power = spectrum.real.square() + spectrum.imag.square() + 1e-9
    total = F.pad(power.double().cumsum(1), (0, 0, 1, 0))
    half = (f0_hz.clamp_min(_LEAST_HZ) * (0.5 * N_FFT / SAMPLE_RATE_HZ))[None]
    centre = torch.arange(power.shape[1], device=power.device)[:, None] + 0.5
    low = (centre - half).clamp(0, power.shape[1])
    high = (centre + half).clamp(0, power.shape[1])
    mean = (_read(total, high) - _read(total, low)) / (high - low)
    return 0.5 * torch.log(mean.clamp_min(1e-12)).float()


def _read(total: Tensor, place: Tensor) -> Tensor:
    """Read running sums ``[2, bins + 1, hops]`` between bins, at ``place: [bins, hops]``."""
    left = place.floor().long().clamp(max=total.shape[1] - 2)
    part = (place - left)[None]
    index = left[None].expand(len(total), -1, -1)
    return total.gather(1, index) * (1 - part) + total.gather(1, index + 1) * part


def _gain(envelopes: Tensor, f0_hz: Tensor, options: DifferentialOptions) -> Tensor:
    """Return the factor of each bin that brings the first envelope to the second.

    It is 1 where there is no pitch; the average over hops makes the edges soft.
    """
    change = (envelopes[1:] - envelopes[:1]) * (f0_hz > 0)[None, None]
    neper = math.log(10) / 20
    change = change.clamp(options.least_gain_db * neper, options.most_gain_db * neper)
    width = options.smooth_hops
    edge = (width // 2, (width - 1) // 2)
    return torch.exp(F.avg_pool1d(F.pad(change, edge, mode="replicate"), width, stride=1))
