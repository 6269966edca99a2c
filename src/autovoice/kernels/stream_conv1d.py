"""A causal convolution over streams of rows: the last rows of a chunk are the state of the next.

Source: the cached convolution of streaming networks (Rybakov et al. 2020, "Streaming keyword
spotting on mobile devices"). ``docs/kernels/stream_conv1d.md`` has what the kernel costs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels import library

NAME = "stream_conv1d"


def stream_conv1d(
    x: Tensor,
    weight: Tensor,
    state: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    dilation: int = 1,
) -> tuple[Tensor, Tensor]:
    """Convolve the next chunk of each stream: ``y[t] = bias + sum_j weight[j] x[t - (K-1-j) d]``.

    Chunks one after another give what all of them at once give. In half precision on CUDA the
    kernel runs, with C and D multiples of 8, without gradients; all else is left to the reference.

    Args:
        x: ``[B, T, C]``, a stream per item, T at least 1. Items may lie apart, as in a slice
            of a longer chunk.
        weight: ``[K, C, D]`` of the same type, the last tap for the row itself.
        state: ``[B, (K - 1) dilation, C]`` of the same type, the rows before the chunk, as the call
            before returned it. Default zeros: a stream begins.
        bias: ``[D]`` float32.
        dilation: rows between taps.

    Returns:
        ``[B, T, D]`` of the type of ``x``, added up in float32; and the next state.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    if state is None:
        state = x.new_zeros(x.shape[0], (weight.shape[0] - 1) * dilation, x.shape[2])
    if not _takes(x, weight, state):
        return reference(x, weight, state, bias, dilation)
    dense = x.stride(2) == 1 and x.stride(1) == x.shape[2]
    made: tuple[Tensor, Tensor] = torch.ops.autovoice.stream_conv1d(
        x if dense else x.contiguous(), weight.contiguous(), state.contiguous(), bias, dilation
    )
    return made


def _takes(x: Tensor, weight: Tensor, state: Tensor) -> bool:
    """Tell whether the op has a kernel for this; what does not fit together it tells itself."""
    if not library.enabled(NAME):
        return False
    if not x.is_cuda:
        return True  # the dispatcher takes the reference
    half = x.dtype in {torch.float16, torch.bfloat16}
    learns = torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight, state))
    sized = weight.shape[1] % 8 == 0 and weight.shape[2] % 8 == 0 and weight.numel() > 0
    return half and sized and not learns and library.has_tensor_cores(x.device)


def reference(
    x: Tensor, weight: Tensor, state: Tensor, bias: Tensor | None, dilation: int
) -> tuple[Tensor, Tensor]:
    """Do the same by PyTorch's layers; arguments as the op's own."""
    if state.shape[1] != (weight.shape[0] - 1) * dilation:
        wanted = (weight.shape[0] - 1) * dilation
        raise RuntimeError(f"{NAME}: found a state of {state.shape[1]} rows, expected {wanted}")
    whole = torch.cat([state, x], 1)
    with torch.autocast(x.device.type, enabled=False):
        kernel = weight.float().permute(2, 1, 0)
        y = F.conv1d(whole.float().transpose(1, 2), kernel, bias, dilation=dilation)
    rows = y.transpose(1, 2).to(x.dtype).contiguous()
    return rows, whole[:, x.shape[1] :].clone(memory_format=torch.contiguous_format)


def _fake(
    x: Tensor, weight: Tensor, state: Tensor, bias: Tensor | None, dilation: int
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape[0], x.shape[1], weight.shape[2]), x.new_empty(state.shape)


library.declare(
    "stream_conv1d(Tensor x, Tensor weight, Tensor state, Tensor? bias, int dilation) "
    "-> (Tensor, Tensor)",
    reference,
    _fake,
)
