"""Normalise one input by the statistics of another.

Instance normalisation takes mean and variance over the whole input. A held note fills them, and
what does not change comes out as silence. With the statistics of the same words as they are spoken
it is one sound among others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import Tensor, nn

from autovoice.nn.adain import AdaIN1d, Moments
from autovoice.nn.styled_pieces import moments


class HeldNorm:
    """Remember the statistics of every adaptive normalisation of a network, and use them again.

    Args:
        network: whose layers always run in the same order.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = [m for m in network.modules() if isinstance(m, AdaIN1d)]
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
    def _through(self, taken: Moments) -> Iterator[None]:
        for norm in self._norms:
            norm.moments = taken
        try:
            yield
        finally:
            for norm in self._norms:
                norm.moments = None

    def _listen(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self._known.append(moments(x))
        return self._known[-1]

    def _hold(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - as ``Moments``
        self._next += 1
        return self._known[self._next - 1]
