"""What a decoder's layers normalise by, carried from window to window, for a batch of streams.

Its layers normalise over all that they see. Of a fifth of a second that is another mean every time,
and the timbre trembles; so mean and power are those of the last seconds, as over a long piece. What
``vocode.live_moments`` keeps for one stream lies here in rows of a tensor, one for each stream.

Source: running statistics in place of a batch's own (Ioffe and Szegedy 2015), here over time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from autovoice.kernels.style_conv1d import MOMENT_SCALE
from autovoice.nn.adain import AdaIN1d

# What was heard longer ago than this weighs a third.
MEMORY_S = 8.0


class MomentMemory:
    """Mean and power of every layer's channels, for one pass of a network.

    A network's layers always ask in the same order; what each gets lies in the order of asking.

    Args:
        kept: ``[B, N]`` float32, what the pass before left in ``kept``; None before the first.
        weight: ``[B, 1]`` float32, the seconds that ``kept`` stands for; 0 begins anew, and then
            ``kept`` has to be finite only.
        seconds: of the input that are new, over 0.
    """

    def __init__(self, kept: Tensor | None, weight: Tensor, seconds: float) -> None:
        fresh = min(seconds, MEMORY_S)
        before = weight * (1.0 - fresh / MEMORY_S)
        self.weight = before + fresh
        self._part = (fresh / self.weight)[:, :, None]
        self._before, self._at = kept, 0
        self._made: list[Tensor] = []

    @property
    def kept(self) -> Tensor:
        """What the next pass goes on from, ``[B, N]``, once all layers have asked."""
        return torch.cat(self._made or [self.weight[:, :0]], 1)

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance so far, ``[B, C, 1]``, with those of ``x: [B, C, T]``."""
        x = x.float()
        blended = self._blended(torch.stack([x.mean(2), x.square().mean(2)], 1))
        mean, power = blended[..., None].unbind(1)
        return mean, (power - mean.square()).clamp_min(0)

    def settled(self, sums: Tensor, count: Tensor | int) -> Tensor:
        """Return sums over the same number of rows that stand for all so far.

        Args:
            sums: ``[B, 2, C]`` int64, see ``kernels.style_conv1d``.
            count: rows that were added up, ``[B]`` or of all.

        Shape: ``[B, 2, C]`` int64.
        """
        if isinstance(count, Tensor):
            unit: Tensor | int = count.clamp_min(1).double()[:, None, None] * MOMENT_SCALE
        else:
            unit = count * MOMENT_SCALE
        blended = self._blended((sums.double() / unit).float())
        return (blended.double() * unit).round().to(torch.int64)

    @contextlib.contextmanager
    def worn_by(self, network: nn.Module) -> Iterator[None]:
        """Let a plain network normalise by these moments for one pass."""
        norms = [one for one in network.modules() if isinstance(one, AdaIN1d)]
        for norm in norms:
            norm.moments = self.of
        try:
            yield
        finally:
            for norm in norms:
                norm.moments = None

    def _blended(self, now: Tensor) -> Tensor:
        """Blend ``[B, 2, C]`` with what the layer had, keep it, and return it."""
        if self._before is not None:
            size = now.shape[1] * now.shape[2]
            old = self._before[:, self._at : self._at + size].view(now.shape)
            self._at += size
            now = torch.lerp(old, now, self._part)
        self._made.append(now.flatten(1))
        return now
