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

from autovoice.nn.adain import AdaIN1d, AdaINResBlock1

# What was heard longer ago than this weighs a third.
MEMORY_S = 8.0
_EPSILON = 1e-5


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
        blocks = [one for one in network.modules() if isinstance(one, AdaINResBlock1)]
        norms = [one for one in network.modules() if isinstance(one, AdaIN1d)]
        before = [block.activate for block in blocks]
        for block in blocks:
            block.activate = self._activate
        for norm in norms:
            norm.forward = partial(self._normalise, norm)  # type: ignore[method-assign]
        try:
            yield
        finally:
            for block, activate in zip(blocks, before, strict=True):
                block.activate = activate
            for norm in norms:
                del norm.forward

    def _normalise(self, norm: AdaIN1d, x: Tensor, style: Tensor) -> Tensor:
        """Do what ``AdaIN1d`` does, by the running moments."""
        return self._modulated(x, norm.fc(style), id(norm)).to(x.dtype)

    def _activate(self, x: Tensor, factors: Tensor, alpha: Tensor) -> Tensor:
        """Do what ``nn.adain.adain_snake`` does, by the running moments."""
        made = self._modulated(x, factors, id(alpha))
        return (made + torch.sin(alpha * made).square() / alpha).to(x.dtype)

    def _modulated(self, x: Tensor, factors: Tensor, layer: int) -> Tensor:
        mean, power = self._moments(x.float(), layer)
        gamma, beta = factors.unsqueeze(-1).chunk(2, dim=1)
        variance = (power - mean.square()).clamp_min(0)
        scale = (1 + gamma) * torch.rsqrt(variance + _EPSILON)
        return torch.addcmul(beta - scale * mean, scale, x)

    def _moments(self, x: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        mean, power = x.mean(2, keepdim=True), x.square().mean(2, keepdim=True)
        weight, old_mean, old_power = self._kept.get(layer, (0.0, mean, power))
        weight *= 1.0 - self._seconds / self._memory_s
        part = self._seconds / max(weight + self._seconds, 1e-9)
        mean = torch.lerp(old_mean, mean, part)
        power = torch.lerp(old_power, power, part)
        self._kept[layer] = (weight + self._seconds, mean, power)
        return mean, power
