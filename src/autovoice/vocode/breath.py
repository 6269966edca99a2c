"""The noise that a decoder breathes with: that of a seed is the same on every device."""

from __future__ import annotations

import threading
from functools import lru_cache

import torch

from autovoice.nn.decoder import FRAME_SAMPLES
from autovoice.types import FloatArray

# So much is drawn at once, and up to so much of a seed is kept: 2.9 MB for 30 s.
BLOCK_FRAMES, MOST_FRAMES = 40, 1_200


def breath(frames: int, seed: int | None) -> FloatArray:
    """Draw the noise of so many frames, ``[600 frames]``.

    It is drawn on the CPU, so that a seed gives the same breath on every device; a shorter one is
    the beginning of a longer one.

    Args:
        frames: of 25 ms, at least 1.
        seed: where it begins. Default: PyTorch's own random state.
    """
    if seed is None:
        noise: FloatArray = torch.randn(FRAME_SAMPLES * frames).numpy()
        return noise
    if frames > MOST_FRAMES:
        return _Seeded(seed).first(frames)
    return _kept(seed).first(frames)


class _Seeded:
    """The noise of one seed, drawn as far as it was asked for."""

    def __init__(self, seed: int) -> None:
        self._chance = torch.Generator().manual_seed(seed)
        self._noise = torch.zeros(0)
        self._lock = threading.Lock()

    def first(self, frames: int) -> FloatArray:
        """Return the first frames, read only."""
        with self._lock:
            missing = frames - len(self._noise) // FRAME_SAMPLES
            if missing > 0:
                blocks = -(-missing // BLOCK_FRAMES)
                fresh = [
                    torch.randn(BLOCK_FRAMES * FRAME_SAMPLES, generator=self._chance)
                    for _ in range(blocks)
                ]
                self._noise = torch.cat([self._noise, *fresh])
            found: FloatArray = self._noise[: FRAME_SAMPLES * frames].numpy()
        found.flags.writeable = False
        return found


@lru_cache(8)
def _kept(seed: int) -> _Seeded:
    """Keep what was drawn: a service draws that of seed 0 again and again."""
    return _Seeded(seed)
