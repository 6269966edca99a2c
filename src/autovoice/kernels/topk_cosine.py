"""The nearest of many vectors by cosine, without the matrix of all cosines.

Source: blending words with their nearest neighbours in a reference is k-NN voice conversion (Baas,
van Niekerk and Kamper 2023). ``docs/kernels/topk_cosine.md`` has what the kernel costs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.kernels import library

NAME = "topk_cosine"
MOST = 16
_LEAST_NORM = 1e-12
# The reference keeps no more cosines than this at a time.
_MOST_SCORES = 1 << 24


def topk_cosine(
    queries: Tensor, keys: Tensor, k: int, *, key_scale: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the ``k`` keys with the highest cosine to each query, best first.

    A vector of zeros has the cosine 0 with everything. In half precision on CUDA the kernel runs,
    with D a multiple of 8 and k up to 16, without gradients; all else is left to the reference. Of
    equal cosines the kernel takes the first keys; the reference makes no such promise.

    Args:
        queries: ``[N, D]``, finite.
        keys: ``[M, D]`` of the same type, finite, M at least k.
        k: how many, at least 1.
        key_scale: ``[M]`` float32, ``inverse_norms(keys)``; default: found anew in each call.

    Returns:
        Cosines, ``[N, k]`` float32, and the places of the keys, ``[N, k]`` int64.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    if not _takes(queries, keys, k):
        return reference(queries, keys, key_scale, k)
    made: tuple[Tensor, Tensor] = torch.ops.autovoice.topk_cosine(
        queries.contiguous(), keys.contiguous(), key_scale, k
    )
    return made


def inverse_norms(rows: Tensor) -> Tensor:
    """Return one over the norm of each row, ``[N, D] -> [N]`` float32."""
    norms: Tensor = torch.linalg.vector_norm(rows.float(), dim=1)
    return norms.clamp_min(_LEAST_NORM).reciprocal()


def _takes(queries: Tensor, keys: Tensor, k: int) -> bool:
    """Tell whether the op has a kernel for this; what does not fit together it tells itself."""
    if not library.enabled(NAME):
        return False
    if not queries.is_cuda:
        return True  # the dispatcher takes the reference
    half = queries.dtype in {torch.float16, torch.bfloat16} and keys.dtype == queries.dtype
    learns = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad)
    sized = queries.shape[-1] % 8 == 0 and queries.shape[-1] > 0 and k <= MOST
    return half and sized and not learns and library.has_tensor_cores(queries.device)


def reference(
    queries: Tensor, keys: Tensor, key_scale: Tensor | None, k: int
) -> tuple[Tensor, Tensor]:
    """Do the same by PyTorch's layers; arguments as the op's own."""
    scale = inverse_norms(keys) if key_scale is None else key_scale
    wide, cosines, places = keys.float().T, [], []
    rows = max(_MOST_SCORES // max(len(keys), 1), 1)
    # Products in half precision would take near ties for ties.
    with torch.autocast(queries.device.type, enabled=False):
        for first in range(0, max(len(queries), 1), rows):
            part = queries[first : first + rows]
            scores, index = ((part.float() @ wide) * scale).topk(k, dim=1)
            cosines.append(scores * inverse_norms(part)[:, None])
            places.append(index)
    return torch.cat(cosines), torch.cat(places)


def _fake(queries: Tensor, keys: Tensor, key_scale: Tensor | None, k: int) -> tuple[Tensor, Tensor]:
    shape = (queries.shape[0], k)
    found = queries.new_empty(shape, dtype=torch.float32)
    return found, queries.new_empty(shape, dtype=torch.int64)


library.declare(
    "topk_cosine(Tensor queries, Tensor keys, Tensor? key_scale, int k) -> (Tensor, Tensor)",
    reference,
    _fake,
)
