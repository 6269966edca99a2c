"""Random numbers that depend on a seed and a place alone, the same on every device.

Source: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011); Box and Muller (1958).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_WORD = np.uint64(32)


def words(seed: int, first: int, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """Return the four 32-bit words of counters ``first`` on, ``[4, count]``.

    Args:
        seed: 64 bits, the key.
        first: the first counter, 64 bits.
        count: how many.
    """
    index = np.arange(count, dtype=np.uint64) + np.uint64(first % 2**64)
    c0, c1 = index & _LOW, index >> _WORD
    c2, c3 = np.zeros_like(c0), np.zeros_like(c0)
    k0, k1 = seed % 2**32, (seed % 2**64) >> 32
    for _ in range(10):
        a, b = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c2 = (b >> _WORD) ^ c1 ^ np.uint64(k0), (a >> _WORD) ^ c3 ^ np.uint64(k1)
        c1, c3 = b & _LOW, a & _LOW
        k0, k1 = (k0 + _WEYL[0]) % 2**32, (k1 + _WEYL[1]) % 2**32
    return np.stack([c0, c1, c2, c3])


def normal(seed: int, first: int, count: int) -> Tensor:
    """Return standard normal numbers ``first`` to ``first + count``, ``[count]`` float32."""
    begin = first // 4
    drawn = words(seed, begin, (first + count + 3) // 4 - begin)
    pairs = drawn.T.reshape(-1, 2)
    u, v = ((pairs.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)).T
    radius = np.sqrt(-2 * np.log(np.minimum(u, np.float32(0.99999994))))
    angle = 2 * np.pi * v.astype(np.float64)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)
    skip = first - 4 * begin
    return torch.from_numpy(both[skip : skip + count].astype(np.float32))
