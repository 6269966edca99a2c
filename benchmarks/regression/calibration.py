"""Loops of fixed work: how fast the machine is right now, at three kinds of work.

A case is timed in units of the loop of its kind, run just before and after it: what slows the
machine down slows both. So each loop has a share of what its kind suffers from: arithmetic, reading
more than the caches close by hold, and memory that is new.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional as F

Loop = Callable[[], object]
_NEW_VALUES = 1 << 19


def python() -> object:
    """Run the interpreter: attributes, dictionaries, numbers, calls."""
    counts: dict[int, float] = {}
    for number in range(12_000):
        counts[number & 63] = counts.get(number & 63, 0.0) + abs(number * 0.5)
    return sorted(counts.items(), key=lambda pair: pair[1])


def arrays() -> object:
    """Take spectra, work on them one value at a time, and go back, all in new memory."""
    sound, window = _sounds()
    with torch.inference_mode():
        spectrum = torch.stft(sound, 1_024, 120, window=window, return_complex=True)
        level = F.avg_pool1d(spectrum.abs().clamp_min(1e-5).log(), 5, 1, 2)
        frames = torch.fft.irfft((spectrum * level.exp()).transpose(1, 2)) * window
        framed = F.pad(sound, (24, 87)).unfold(1, 111, 64) @ window[:192].expand(111, 192)
        return frames.sum(), framed.abs().amax()


def network() -> object:
    """Convolve, apply a wave elementwise, multiply matrices, and read large weights."""
    sound, kernel, square, weights = _tensors()
    with torch.inference_mode():
        made = F.conv1d(sound, kernel, padding=3)
        made = made + (made * 0.5).sin().square()
        fresh = torch.ones(_NEW_VALUES)
        return made.sum(), (square @ square).sum(), (weights @ weights[0]).sum(), fresh.sum()


LOOPS: dict[str, Loop] = {"python": python, "arrays": arrays, "network": network}


@cache
def _sounds() -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(0)
    return torch.randn(2, 24_000, generator=chance), torch.hann_window(1_024)


@cache
def _tensors() -> tuple[torch.Tensor, ...]:
    chance = torch.Generator().manual_seed(0)
    shapes = ((1, 128, 800), (128, 128, 7), (384, 384), (2_048, 2_048))
    return tuple(torch.randn(shape, generator=chance) * 0.02 for shape in shapes)
