"""A styled activation and the convolution after it, piece by piece, for the CPU.

Between two convolutions of a vocoder lie half a dozen passes over sounds of several megabytes, and
memory is what they wait for. Cut into pieces that the second-level cache holds, and with channels
side by side as the convolutions read them, a piece stays there from its normalisation to its
convolution. The arithmetic is that of ``nn.adain``, within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-5
# A megabyte: what is made of a piece has to fit in beside it.
PIECE_VALUES = 1 << 18
# Fewer rows would be convolved twice too often at the ends of pieces.
LEAST_ROWS = 512


def can_cut(x: Tensor, *convs: nn.Module) -> bool:
    """Whether a block may run so: without gradients, in float32, on the CPU, with no hooks."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not any(conv._forward_hooks for conv in convs)
    )


def pieces(x: Tensor) -> Iterator[slice]:
    """Yield slices over the frames of ``x: [B, C, T]``."""
    rows = max(LEAST_ROWS, PIECE_VALUES // (x.shape[0] * x.shape[1]))
    for begin in range(0, x.shape[2], rows):
        yield slice(begin, min(begin + rows, x.shape[2]))


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance over time. Shape: ``[B, C, T]`` -> ``[B, C, 1]`` each."""
    mean = x.mean(dim=-1, keepdim=True)
    power = torch.zeros_like(mean)
    for piece in pieces(x):
        power += (x[..., piece] - mean).square().sum(dim=-1, keepdim=True)
    return mean, power / x.shape[-1]


def rows_of(x: Tensor) -> Tensor:
    """Return ``x: [B, C, T]`` with its channels side by side in memory."""
    return x.transpose(1, 2).contiguous().transpose(1, 2)


def styled_conv(
    x: Tensor,
    taken: tuple[Tensor, Tensor],
    factors: Tensor,
    *,
    alpha: Tensor,
    conv: nn.Conv1d,
    residual: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Normalise, style, add the squared sine, convolve.

    Args:
        x: ``[B, C, T]``, see ``rows_of``.
        taken: mean and variance to normalise by, ``[B, C, 1]``.
        factors: ``[B, 2 C]``.
        alpha: ``[1, C, 1]``.
        conv: as long as its input, stride 1.
        residual: ``[B, C, T]``, added to the result.
        out: where the result goes, laid out as ``x``; may be ``residual`` itself. Default: new
            memory, which the system has to clear first, so use it again.

    Shape: ``[B, C, T]``, laid out as ``x``.
    """
    mean, variance = taken
    gamma, beta = factors.unsqueeze(-1).chunk(2, dim=1)
    scale = (1 + gamma) * torch.rsqrt(variance + EPSILON)
    shift, inverse = beta - mean * scale, 1 / alpha
    weight = conv.weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    made = torch.empty_like(x) if out is None else out
    reach, frames = int(conv.padding[0]), x.shape[-1]
    for piece in pieces(x):
        begin, end = piece.start - reach, piece.stop + reach
        y = torch.addcmul(shift, scale, x[..., max(begin, 0) : min(end, frames)])
        y.addcmul_(torch.mul(y, alpha).sin_().square_(), inverse)
        if begin < 0 or end > frames:
            y = F.pad(y, (max(-begin, 0), max(end - frames, 0)))
        flat = F.conv2d(rows_of(y).unsqueeze(2), weight, conv.bias, dilation=(1, conv.dilation[0]))
        if residual is None:
            made[..., piece] = flat.squeeze(2)
        else:
            torch.add(flat.squeeze(2), residual[..., piece], out=made[..., piece])
    return made
