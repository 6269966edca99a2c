"""What the decoder normalises by, carried from window to window.

Its layers normalise over all that they see. Of a fifth of a second that is another mean every time,
and the timbre trembles; so mean and power are those of the last seconds, as over a long piece.

Source: running statistics in place of a batch's own (Ioffe and Szegedy 2015), here over time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn

from autovoice.nn.adain import AdaIN1d

# What was heard longer ago than this weighs a third.
MEMORY_S = 8.0


class RunningMoments:
    """Mean and power of each layer's channels so far.

    Args:
        memory_s: how long they last.
    """

    def __init__(self, memory_s: float = MEMORY_S) -> None:
        self._memory_s = memory_s
        # Of each layer, by the identity of a part of it: total weight, mean, power.
        self._kept: dict[int, tuple[float, Tensor, Tensor]] = {}
        self._seconds = 0.0

    def forget(self) -> None:
        """Begin anew."""
        self._kept.clear()

    @contextlib.contextmanager
    def worn_by(self, network: nn.Module, seconds: float) -> Iterator[None]:
        """Let a network normalise by these moments; ``seconds`` of its input are new."""
        self._seconds = min(seconds, self._memory_s)
        norms = [one for one in network.modules() if isinstance(one, AdaIN1d)]
        for norm in norms:
            norm.moments = partial(self._moments, id(norm))
        try:
            yield
        finally:
            for norm in norms:
                norm.moments = None

    def _moments(self, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance so far, with those of ``x: [B, C, T]``."""
        x = x.float()
        mean, power = x.mean(2, keepdim=True), x.square().mean(2, keepdim=True)
        weight, old_mean, old_power = self._kept.get(layer, (0.0, mean, power))
        weight *= 1.0 - self._seconds / self._memory_s
        part = self._seconds / max(weight + self._seconds, 1e-9)
        mean = torch.lerp(old_mean, mean, part)
        power = torch.lerp(old_power, power, part)
        self._kept[layer] = (weight + self._seconds, mean, power)
        return mean, (power - mean.square()).clamp_min(0)
