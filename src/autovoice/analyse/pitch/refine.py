"""Sharpen a pitch estimate, and check its octave, on the first harmonics themselves.

A network that reads pitch off bins of 70 cents is a few cents off, more so for high notes. The
phase of the harmonics is far sharper: with a window ``w`` around time ``t``, a partial near
``f`` has the frequency ``f - Im(X' / X) / 2 pi``, where ``X`` is the spectrum at ``f`` under
``w`` and ``X'`` the one under the window's derivative (Flanagan and Golden 1966; Auger and
Flandrin 1995). The harmonics are then averaged by their strength, as in WORLD (Morise 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from autovoice.analyse.pitch.base import SAMPLE_RATE_HZ
from autovoice.kernels.pitch.constants import (
    HALF_PRESENT,
    HARMONICS,
    LONGEST_S,
    MAX_CHANGE,
    ODD_ABSENT,
    PERIODS,
    SHORTEST_S,
)
from autovoice.nn.graphs import GraphCache

_BLOCK_FRAMES = 512
_GPU_FRAMES = 4_096
Work = Callable[..., Tensor]


def refine_f0(
    samples: Tensor, f0_hz: Tensor, centres: Tensor, graphs: GraphCache | None = None
) -> Tensor:
    """Sharpen F0 at the given times.

    Args:
        samples: ``[T]`` at 16 kHz.
        f0_hz: ``[F]`` estimates within 3 %, all above 0.
        centres: ``[F]`` sample positions.
        graphs: replays the work on a GPU. Default: it is launched step by step.

    Shape: ``[F]`` -> ``[F]``.
    """
    return _in_blocks(_refined, samples, f0_hz, centres, graphs)


def octave_evidence(
    samples: Tensor, f0_hz: Tensor, centres: Tensor, graphs: GraphCache | None = None
) -> Tensor:
    """Say where the partials deny the octave: -1 one too high, 1 one too low, 0 otherwise.

    Arguments as ``refine_f0``.

    Shape: ``[F]`` -> ``[F]``.
    """
    return _in_blocks(_evidence, samples, f0_hz, centres, graphs)


def _refined(samples: Tensor, f0: Tensor, centre: Tensor, half: int) -> Tensor:
    length_s = (PERIODS / f0).clamp(SHORTEST_S, LONGEST_S)
    cut, window, slope, offset_s = _windowed(samples, centre, length_s, half)
    return _instantaneous(cut * window, cut * slope, offset_s, f0)


def _evidence(samples: Tensor, f0: Tensor, centre: Tensor, half: int) -> Tensor:
    length_s = (2 * PERIODS / f0).clamp(SHORTEST_S, LONGEST_S)
    cut, window, _, offset_s = _windowed(samples, centre, length_s, half)
    # partials 1 to 8 of half the frequency: 1, 3, 5 lie between the harmonics of f0
    level = torch.stack(list(_partials(cut * window, offset_s, f0 / 2, 8))).abs()
    heard = level * (torch.arange(1, 9, device=f0.device)[:, None] * f0 / 2 < 7200)
    between = heard[0] + heard[2] + heard[4]
    odd, even = heard[1] + heard[5], heard[3] + heard[7]
    too_high = (between > HALF_PRESENT * (odd + even)) & (f0 > 130.0)
    too_low = (odd < ODD_ABSENT * even) & (f0 < 550.0)
    return too_low.float() - too_high.float()


def _in_blocks(
    work: Work, samples: Tensor, f0_hz: Tensor, centres: Tensor, graphs: GraphCache | None
) -> Tensor:
    """Run ``work`` over blocks: on the CPU of like pitch, whose windows are about equally long.

    A GPU has all windows of the greatest length: it need not be asked for the pitch first.
    """
    if samples.is_cuda:
        longest = math.ceil(LONGEST_S * SAMPLE_RATE_HZ / 2)
        run = partial(work, half=longest)
        blocks = zip(*(torch.split(x, _GPU_FRAMES) for x in (f0_hz, centres)), strict=True)
        if graphs is None:
            return torch.cat([run(samples, *block) for block in blocks])
        return torch.cat([graphs(work.__name__, run, samples, *block) for block in blocks])
    order = f0_hz.argsort()
    result = torch.empty_like(f0_hz)
    slowest = 2 * PERIODS if work is _evidence else PERIODS
    for first in range(0, order.numel(), _BLOCK_FRAMES):
        block = order[first : first + _BLOCK_FRAMES]
        lowest_hz = float(f0_hz[block[0]])
        length_s = min(max(slowest / lowest_hz, SHORTEST_S), LONGEST_S)
        half = math.ceil(length_s * SAMPLE_RATE_HZ / 2)
        result[block] = work(samples, f0_hz[block], centres[block], half)
    return result


def _windowed(
    samples: Tensor, centres: Tensor, length_s: Tensor, half: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut around each centre; return cuts, Hann windows, their slopes per second, and times."""
    reach = torch.arange(-half, half + 1, device=samples.device)
    place = centres.long()[:, None] + reach
    inside = (place >= 0) & (place < samples.shape[0])
    cut = samples[place.clamp(0, samples.shape[0] - 1)] * inside
    offset_s = (reach / SAMPLE_RATE_HZ).expand_as(cut)
    phase = 2 * math.pi * offset_s / length_s[:, None]
    under = phase.abs() < math.pi
    window = 0.5 * (1 + torch.cos(phase)) * under
    slope = -math.pi / length_s[:, None] * torch.sin(phase) * under
    return cut, window, slope, offset_s


def _carriers(offset_s: Tensor, f0_hz: Tensor, count: int) -> Iterator[Tensor]:
    turn = torch.polar(torch.ones_like(offset_s), -2 * math.pi * f0_hz[:, None] * offset_s)
    carrier = turn
    for index in range(count):
        carrier = carrier * turn if index else turn
        yield carrier


def _partials(cut: Tensor, offset_s: Tensor, f0_hz: Tensor, count: int) -> Iterator[Tensor]:
    for carrier in _carriers(offset_s, f0_hz, count):
        yield (cut * carrier).sum(dim=1)


def _instantaneous(plain: Tensor, derived: Tensor, offset_s: Tensor, f0_hz: Tensor) -> Tensor:
    weighted, weights = torch.zeros_like(f0_hz), torch.zeros_like(f0_hz)
    pairs = zip(
        _partials(plain, offset_s, f0_hz, HARMONICS),
        _partials(derived, offset_s, f0_hz, HARMONICS),
        strict=True,
    )
    for harmonic, (spectrum, changed) in enumerate(pairs, start=1):
        power = (spectrum.real.square() + spectrum.imag.square()).clamp_min(1e-20)
        drift = (changed * spectrum.conj()).imag / power
        estimate = f0_hz - drift / (2 * math.pi * harmonic)
        sound = (estimate / f0_hz - 1).abs() < MAX_CHANGE
        audible = harmonic * f0_hz < 0.45 * SAMPLE_RATE_HZ
        weight = harmonic * power.sqrt() * sound * audible
        weighted = weighted + weight * estimate
        weights = weights + weight
    return torch.where(weights > 0, weighted / weights.clamp_min(1e-20), f0_hz)
