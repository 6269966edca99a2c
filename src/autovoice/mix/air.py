"""Give the converted vocal the band above the model's: the source's own, at the new voice's level.

The voice model ends at 12 kHz. Above there is breath and hiss of the same articulation whoever
sings, and hardly any pitch, so the source's band goes on where the converted vocal ends: in each
10 ms as much louder or quieter as the converted vocal is just below.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft, signal
from torch import Tensor
from torch.nn import functional as F

from autovoice.types import FloatArray

# Where one takes over from the other; the model's sound is whole up to here after resampling.
CROSSOVER_HZ = 11_200.0
# The band in which the two are compared.
BELOW_HZ = (7_500.0, 11_000.0)
# A rate that leaves less than this above the crossover has no air to give.
LEAST_RATE_HZ = 26_000
MOST_UP = 10 ** (3.0 / 20)
STEP_S = 0.010
TAPS = 255
_PIECE_STEPS = 2_000
FLOOR = 1e-10


def with_air(
    converted: FloatArray, source: FloatArray, rate_hz: int, device: str | torch.device = "cpu"
) -> FloatArray:
    """Return the converted vocal with the source's band above 11.2 kHz.

    Args:
        converted: ``[T]`` mono, nothing above 12 kHz.
        source: ``[T]`` mono, the vocal that was converted, in the same time.
        rate_hz: of both; below 26 kHz nothing is changed.
        device: where to compute. Default the CPU.

    Shape: ``[T]``.
    """
    if rate_hz < LEAST_RATE_HZ:
        return converted
    step = round(STEP_S * rate_hz)
    made = np.empty_like(converted)
    # Two steps and the filters' reach on both sides, so that pieces join without a seam.
    context = 2 * step + step * -(-TAPS // step)
    with torch.inference_mode():
        for first in range(0, len(converted), _PIECE_STEPS * step):
            end = min(first + _PIECE_STEPS * step, len(converted))
            cuts = [_cut(sound, first - context, end + context) for sound in (converted, source)]
            both = torch.from_numpy(np.stack(cuts)).to(device)
            piece = _joined(both, rate_hz, step)[context : context + end - first]
            made[first:end] = piece.cpu().numpy()
    return made


def _joined(both: Tensor, rate_hz: int, step: int) -> Tensor:
    """Join the low part of the first and the high part of the second, ``[2, T] -> [T]``."""
    size = fft.next_fast_len(both.shape[1] + TAPS - 1, real=True)
    low, band = (taps.to(both.device) for taps in _spectra(rate_hz, size))
    spectrum = torch.fft.rfft(both, size)
    # The filters are symmetric and of odd length: what is left of the sound is its high part.
    part = slice(TAPS // 2, TAPS // 2 + both.shape[1])
    lows = torch.fft.irfft(spectrum * low, size)[:, part]
    bands = torch.fft.irfft(spectrum * band, size)[:, part]
    joined: Tensor = lows[0] + _gain(bands, step) * (both[1] - lows[1])
    return joined


@lru_cache(16)
def _spectra(rate_hz: int, size: int) -> tuple[Tensor, Tensor]:
    """Return the spectra of ``filters``, ``[size // 2 + 1]`` each."""
    low, band = (
        torch.from_numpy(np.fft.rfft(x, size).astype(np.complex64)) for x in filters(rate_hz)
    )
    return low, band


@lru_cache(16)
def filters(rate_hz: int) -> NDArray[np.float64]:
    """Return the low-pass and the band in which the two are compared, ``[2, 255]``."""
    low = signal.firwin(TAPS, CROSSOVER_HZ, fs=rate_hz)
    return np.stack([low, signal.firwin(TAPS, BELOW_HZ, fs=rate_hz, pass_zero=False)])


def _cut(sound: FloatArray, first: int, end: int) -> FloatArray:
    """Cut ``first`` to ``end``, silence beyond both ends of the sound."""
    inside = sound[max(first, 0) : max(min(end, len(sound)), 0)]
    return np.pad(inside, (max(-first, 0), max(end - len(sound), 0)))


def _gain(bands: Tensor, step: int) -> Tensor:
    """Return how much louder the first is, at every sample; straight lines between steps.

    Shape: ``[2, T] -> [T]``.
    """
    length = bands.shape[1]
    powers = F.pad(bands, (0, -length % step)).view(2, -1, step).square().mean(2)
    # Over three steps: one alone flutters.
    wide = F.avg_pool1d(F.pad(powers[:, None], (1, 1), mode="replicate"), 3, stride=1)[:, 0]
    gains = (wide[0] / wide[1].clamp_min(FLOOR)).sqrt().clamp_max(MOST_UP)
    lines = F.interpolate(gains[None, None], scale_factor=step, mode="linear", align_corners=False)
    return lines[0, 0, :length]
