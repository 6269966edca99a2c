"""Between arrays and a device: through page-locked memory, with one wait for all that comes back.

A copy from ordinary memory makes the processor wait for all that the device was asked before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from autovoice.types import FloatArray


def stacked(rows: Sequence[FloatArray], length: int, device: torch.device) -> Tensor:
    """Return arrays of one shape as one tensor on a device, filled up with zeros at their ends.

    Args:
        rows: ``[..., n]`` float32 each, at least one.
        length: of the result's last axis, at least ``n``.
        device: where to.

    Shape: ``[B, ..., length]``.
    """
    shape = (len(rows), *rows[0].shape[:-1], length)
    staged = torch.empty(shape, pin_memory=device.type == "cuda")
    values = staged.numpy()
    for value, row in zip(values, rows, strict=True):
        value[..., : row.shape[-1]] = row
        value[..., row.shape[-1] :] = 0
    return staged.to(device, non_blocking=True)


def sent(
    values: Sequence[int] | Sequence[float], device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Return a few numbers as a tensor on a device, ``[N]``."""
    staged = torch.tensor(values, dtype=dtype, pin_memory=device.type == "cuda")
    return staged.to(device, non_blocking=True)


def fetched(*tensors: Tensor) -> tuple[FloatArray, ...]:
    """Return tensors of one device as arrays of their own memory, after a single wait."""
    if not tensors[0].is_cuda:
        return tuple(np.array(tensor.to("cpu").numpy()) for tensor in tensors)
    staged = [
        torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(
            tensor, non_blocking=True
        )
        for tensor in tensors
    ]
    torch.cuda.current_stream(tensors[0].device).synchronize()
    # Copies: page-locked memory is dear, and who holds a song must not hold it.
    return tuple(tensor.numpy().copy() for tensor in staged)
