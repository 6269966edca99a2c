"""An op that nothing calls yet, beside layers that do the same: this decides whether it stays."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.bench.timing import Pair
from autovoice.kernels import inverse_norms, topk_cosine

# Words of the recogniser: 50 a second, 512 wide.
_WORDS, _WIDTH, _NEAREST = 50, 512, 4


def tried_pairs(batch: int, device: str) -> dict[str, Pair]:
    """Return the op and its layers, both to be called, on a second of ``batch`` sounds."""
    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    return {f"topk_cosine {m} keys": _nearest(batch, m, device, dtype) for m in (1_500, 20_000)}


def _nearest(batch: int, count: int, device: str, dtype: torch.dtype) -> Pair:
    """What depends on the keys alone is done before, on both sides: a reference is heard once."""
    queries = torch.randn(batch * _WORDS, _WIDTH, device=device).to(dtype)
    keys = torch.randn(count, _WIDTH, device=device).to(dtype)
    scale, unit = inverse_norms(keys), F.normalize(keys.float(), dim=1).to(dtype).T

    def layers() -> tuple[Tensor, Tensor]:
        found = (queries @ unit).topk(_NEAREST, dim=1)
        return found.values * inverse_norms(queries)[:, None], found.indices

    return lambda: topk_cosine(queries, keys, _NEAREST, key_scale=scale), layers
