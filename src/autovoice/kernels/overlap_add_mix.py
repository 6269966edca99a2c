"""Pieces of a vocal to the finished sound: blend, gain, accompaniment and layout in one pass.

Source: weighted overlap-add (Griffin and Lim 1984); blends and gains are those of
``engine.chunks.window`` and ``mix.curves.shaped``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autovoice.kernels import library

NAME = "overlap_add_mix"


def overlap_add_mix(
    windows: Tensor,
    places: Tensor,
    fades: Tensor,
    gains: Tensor,
    backing: Tensor,
    *,
    step_samples: int,
    offset_samples: int = 0,
    interleaved: bool = False,
) -> Tensor:
    """Lay windows into one vocal, put it at its level and place, and add the accompaniment.

    The limiter is not part of it: its gain needs the peaks of what is made here. On CUDA the kernel
    runs for float32 and float16, without gradients; all else is left to the reference.

    Args:
        windows: ``[B, W, n]``, pieces of the vocal with their context, n at least 1.
        places: ``[B, W, 3]`` int64, in samples of the sound: where the piece's first sample lies,
            and from where to before where the piece counts.
        fades: ``[B, W, 2]`` float32, half the length of the blends around these two, samples; under
            0.5 there is none. Weights rise in a straight line, so that those of two neighbours with
            one place and one blend sum to one.
        gains: ``[B, C, K]`` float32, of the vocal at the centres of steps; straight lines between
            them, flat beyond the outer ones.
        backing: ``[B, C, T]`` of the type of ``windows``, T under 2^30.
        step_samples: samples per gain.
        offset_samples: how far before the sound the first step begins, at least 0. Default 0.
        interleaved: whether the channels lie side by side.

    Returns:
        The mix and the vocal alone, ``[B, 2, C, T]`` float32; interleaved ``[B, 2, T, C]``.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    numbers = (step_samples, offset_samples, interleaved)
    tensors = (windows, places, fades, gains, backing)
    if not _takes(windows, gains, backing):
        return reference(*tensors, *numbers)
    dense = (tensor.contiguous() for tensor in tensors)
    made: Tensor = torch.ops.autovoice.overlap_add_mix(*dense, *numbers)
    return made


def _takes(windows: Tensor, gains: Tensor, backing: Tensor) -> bool:
    """Tell whether the op has a kernel for this; what does not fit together it tells itself."""
    if not library.enabled(NAME):
        return False
    if not backing.is_cuda:
        return True  # the dispatcher takes the reference
    learns = any(tensor.requires_grad for tensor in (windows, gains, backing))
    known = backing.dtype in {torch.float32, torch.float16} and windows.dtype == backing.dtype
    return known and not (torch.is_grad_enabled() and learns)


def reference(
    windows: Tensor, places: Tensor, fades: Tensor, gains: Tensor, backing: Tensor, step: int,
    offset: int, interleaved: bool,
) -> Tensor:  # fmt: skip
    """Do the same by PyTorch's layers; arguments as the op's own."""
    at = torch.arange(backing.shape[2], device=backing.device)
    mono = torch.zeros(len(backing), len(at), device=backing.device)
    for window, place, fade in zip(
        windows.unbind(1), places.unbind(1), fades.unbind(1), strict=True
    ):
        first, start, stop = place[:, :, None].unbind(1)
        weight = _ramp((at - start).float() + 0.5, fade[:, :1])
        weight = weight * _ramp((stop - at).float() - 0.5, fade[:, 1:])
        inside = at - first
        counts = (inside >= 0) & (inside < window.shape[1]) & (weight > 0)
        picked = window.float().gather(1, inside.clamp(0, window.shape[1] - 1))
        mono = mono + torch.where(counts, weight * picked, 0.0)
    vocal = mono[:, None] * _lines(gains, at, step, offset)
    sound = torch.stack([vocal + backing.float(), vocal], 1)
    return sound.transpose(2, 3).contiguous() if interleaved else sound


def _ramp(distance: Tensor, half: Tensor) -> Tensor:
    """Rise linearly from 0 at ``-half`` to 1 at ``half``; a step where that is under a sample."""
    line = ((distance + half) / (2 * half).clamp_min(1.0)).clamp(0.0, 1.0)
    return torch.where(half < 0.5, (distance > 0).float(), line)


def _lines(gains: Tensor, at: Tensor, step: int, offset: int) -> Tensor:
    """Return straight lines between gains, counted in halves of a sample, ``[B, C, T]``."""
    halves = (2 * (at + offset) + 1 - step).clamp_min(0)
    before = halves.div(2 * step, rounding_mode="floor")
    part = (halves - before * 2 * step).float() / (2 * step)
    last = gains.shape[2] - 1
    low, high = gains[..., before.clamp_max(last)], gains[..., (before + 1).clamp_max(last)]
    return low + part * (high - low)


def _fake(
    windows: Tensor, places: Tensor, fades: Tensor, gains: Tensor, backing: Tensor, step: int,
    offset: int, interleaved: bool,
) -> Tensor:  # fmt: skip
    batch, channels, length = backing.shape
    shape = (batch, 2, length, channels) if interleaved else (batch, 2, channels, length)
    return backing.new_empty(shape, dtype=torch.float32)


library.declare(
    "overlap_add_mix(Tensor windows, Tensor places, Tensor fades, Tensor gains, Tensor backing, "
    "int step_samples, int offset_samples, bool interleaved) -> Tensor",
    reference,
    _fake,
)
