"""How loud a sound is to the ear, in steps of 100 ms."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft, signal
from torch.nn import functional as F

from autovoice.types import FloatArray

Powers = NDArray[np.float64]

STEPS_PER_S = 10
STEPS_PER_BLOCK = 4
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
OFFSET_DB = -0.691
# Below this rate the weighting's shelf lies too near the top of the band to mean anything.
LEAST_WEIGHTED_RATE_HZ = 8000
_READ_STEPS = 64
_PIECE_STEPS = 200
RESPONSE_S = 0.2


class _Biquad(NamedTuple):
    """A second-order section of the weighting: corner frequency, Q, gain."""

    corner_hz: float
    q: float
    gain_db: float


# Analogue prototypes that give BS.1770's table at 48 kHz and its like at other rates
# (Brecht De Man, "Evaluation of implementations of the EBU R128 loudness measurement", 2018).
_SHELF = _Biquad(1681.974450955533, 0.7071752369554196, 3.999843853973347)
_HIGH_PASS = _Biquad(38.13547087602444, 0.5003270373238773, 0.0)


def weighted_powers(
    samples: FloatArray, sample_rate_hz: int, device: str | torch.device = "cpu"
) -> Powers:
    """Return the K-weighted mean power of every 100 ms of each channel.

    Args:
        samples: any level; below 8 kHz sample rate they are measured without weighting.
        sample_rate_hz: at least 10 Hz is needed for a step to hold a sample.
        device: where to compute: recursively on the CPU, by transforms on a GPU. Default the CPU.

    Shape:
        ``[C, T]`` -> ``[C, ceil(T / step)]``, step = rate / 10 samples.

    Source: ITU-R BS.1770-4.
    """
    step = step_samples(sample_rate_hz)
    if torch.device(device).type != "cpu" and sample_rate_hz >= LEAST_WEIGHTED_RATE_HZ:
        return transformed_powers(samples, sample_rate_hz, device)
    channels, length = samples.shape
    powers = np.zeros((channels, -(-length // step)))
    sos = _weighting(sample_rate_hz)
    state = np.zeros((len(sos), channels, 2))
    for first in range(0, powers.shape[1], _READ_STEPS):
        piece = samples[:, first * step : (first + _READ_STEPS) * step].astype(np.float64)
        if len(sos):
            piece, state = signal.sosfilt(sos, piece, axis=1, zi=state)
        steps = -(-piece.shape[1] // step)
        # The last step may be short; what is missing counts as silence.
        squares = np.zeros((channels, steps * step))
        np.square(piece, out=squares[:, : piece.shape[1]])
        powers[:, first : first + steps] = squares.reshape(channels, steps, step).mean(axis=2)
    return powers


def transformed_powers(
    samples: FloatArray, sample_rate_hz: int, device: str | torch.device
) -> Powers:
    """Return what ``weighted_powers`` does, the weighting done by Fourier transforms."""
    step = step_samples(sample_rate_hz)
    channels, length = samples.shape
    powers = np.zeros((channels, -(-length // step)))
    answer = response(sample_rate_hz)
    # The weighting looks back: each piece begins with the end of the one before.
    back = len(answer)
    with torch.inference_mode():
        for first in range(0, powers.shape[1], _PIECE_STEPS):
            start, stop = first * step, min((first + _PIECE_STEPS) * step, length)
            begin = max(start - back, 0)
            piece = torch.from_numpy(samples[:, begin:stop]).to(device)
            size = fft.next_fast_len(piece.shape[1] + back - 1, real=True)
            spectrum = torch.fft.rfft(answer.to(device), size)
            heard = torch.fft.irfft(torch.fft.rfft(piece, size) * spectrum, size)
            heard = heard[:, start - begin : stop - begin]
            squares = F.pad(heard.square(), (0, -heard.shape[1] % step))
            means = squares.view(channels, -1, step).mean(2).double().cpu().numpy()
            powers[:, first : first + means.shape[1]] = means
    return powers


@cache
def response(sample_rate_hz: int) -> torch.Tensor:
    """Return how the weighting answers a click: after 0.2 s less than -140 dB is left."""
    click = np.zeros(round(RESPONSE_S * sample_rate_hz))
    click[0] = 1.0
    return torch.from_numpy(signal.sosfilt(_weighting(sample_rate_hz), click).astype(np.float32))


def step_samples(sample_rate_hz: int) -> int:
    """Return the samples of one step of 100 ms."""
    return max(round(sample_rate_hz / STEPS_PER_S), 1)


def gated(powers: Powers) -> NDArray[np.bool_]:
    """Tell which 400 ms blocks count: over -70 LUFS, and within 10 LU of those blocks' mean.

    Args:
        powers: ``[N]``, summed over the channels.

    Returns:
        ``[N - 3]`` (at least one), block ``k`` being steps ``k`` to ``k + 3``.
    """
    blocks = block_means(powers)
    loud = blocks > power_of(ABSOLUTE_GATE_LUFS)
    if not loud.any():
        return loud
    relative = blocks[loud].mean() * 10 ** (RELATIVE_GATE_LU / 10)
    kept: NDArray[np.bool_] = loud & (blocks > relative)
    return kept


def block_means(powers: Powers) -> Powers:
    """Return the mean of every 4 steps, ``[N] -> [max(N - 3, 1)]``."""
    if powers.size <= STEPS_PER_BLOCK:
        return np.array([powers.mean() if powers.size else 0.0])
    means: Powers = np.convolve(powers, np.full(STEPS_PER_BLOCK, 1 / STEPS_PER_BLOCK), "valid")
    return means


def integrated_lufs(samples: FloatArray, sample_rate_hz: int) -> float:
    """Return the integrated loudness; minus infinity where nothing passes the gates.

    Every channel counts once (BS.1770 counts surround channels 1.41 times).

    >>> import numpy as np
    >>> tone = np.sin(2 * np.pi * 997 * np.arange(96000) / 48000, dtype=np.float32)
    >>> round(integrated_lufs(tone[None], 48000), 1)
    -3.0

    Source: ITU-R BS.1770-4.
    """
    powers = weighted_powers(samples, sample_rate_hz).sum(axis=0)
    kept = gated(powers)
    if not kept.any():
        return -math.inf
    return OFFSET_DB + 10 * math.log10(float(block_means(powers)[kept].mean()))


def power_of(lufs: float) -> float:
    """Return the mean K-weighted power of a loudness, summed over the channels."""
    return float(10 ** ((lufs - OFFSET_DB) / 10))


def _weighting(sample_rate_hz: int) -> NDArray[np.float64]:
    """Return the weighting as second-order sections, ``[2, 6]``; none for very low rates."""
    if sample_rate_hz < LEAST_WEIGHTED_RATE_HZ:
        return np.zeros((0, 6))
    k = math.tan(math.pi * _SHELF.corner_hz / sample_rate_hz)
    high = 10 ** (_SHELF.gain_db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / _SHELF.q + k * k
    shelf = [
        (high + band * k / _SHELF.q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / _SHELF.q + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / _SHELF.q + k * k) / a0,
    ]
    k = math.tan(math.pi * _HIGH_PASS.corner_hz / sample_rate_hz)
    a0 = 1 + k / _HIGH_PASS.q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / _HIGH_PASS.q + k * k) / a0]
    return np.array([shelf, high_pass])
