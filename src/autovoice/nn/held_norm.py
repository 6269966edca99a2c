"""Normalise one input by the statistics of another.

Instance normalisation takes mean and variance over the whole input. A held note fills them, and
what does not change comes out as silence. With the statistics of the same words as they are spoken
it is one sound among others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from autovoice.nn.adain import EPSILON, AdaIN1d, AdaINResBlock1, adain_snake, normalised

_Normalise = Callable[[Tensor], Tensor]


class HeldNorm:
    """Remember the statistics of every adaptive normalisation of a network, and use them again.

    Args:
        network: whose layers always run in the same order.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = [m for m in network.modules() if isinstance(m, AdaIN1d)]
        self._blocks = [m for m in network.modules() if isinstance(m, AdaINResBlock1)]
        self._known: list[tuple[Tensor, Tensor]] = []
        self._next = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the statistics of one run of the network, in the place of earlier ones."""
        self._known = []
        with self._through(self._listen):
            yield

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Normalise one run of the network by what was kept."""
        self._next = 0
        with self._through(self._hold):
            yield

    @contextlib.contextmanager
    def _through(self, normalise: _Normalise) -> Iterator[None]:
        before = [block.activate for block in self._blocks]
        for norm in self._norms:
            norm.normalise = normalise
        for block in self._blocks:
            block.activate = partial(adain_snake, normalise=normalise)
        try:
            yield
        finally:
            for norm in self._norms:
                norm.normalise = normalised
            for block, activate in zip(self._blocks, before, strict=True):
                block.activate = activate

    def _listen(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, unbiased=False, keepdim=True)
        self._known.append((mean, variance))
        return (x - mean) * torch.rsqrt(variance + EPSILON)

    def _hold(self, x: Tensor) -> Tensor:
        mean, variance = self._known[self._next]
        self._next += 1
        return (x - mean) * torch.rsqrt(variance + EPSILON)
