"""Ops that nothing calls yet, beside layers that do the same: this decides whether they stay."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.bench.timing import Pair
from autovoice.kernels import inverse_norms, overlap_add_mix, stream_conv1d, topk_cosine

# Words of the recogniser: 50 a second, 512 wide.
_WORDS, _WIDTH, _NEAREST = 50, 512, 4
# A second at 48 kHz, joined in the middle.
_LENGTH, _JOIN, _CONTEXT, _HALF, _STEP = 48_000, 24_000, 3_000, 1_200, 4_800
_TAPS = 7


def tried_pairs(batch: int, device: str) -> dict[str, Pair]:
    """Return each op and its layers, both to be called, on a second of ``batch`` sounds."""
    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    pairs = {f"topk_cosine {m} keys": _nearest(batch, m, device, dtype) for m in (1_500, 20_000)}
    pairs["overlap_add_mix"] = _mix(batch, device)
    for channels, rows in ((512, 40), (128, 600)):
        name = f"stream_conv1d {channels} channels, {rows} rows"
        pairs[name] = _stream(batch, rows, channels, device, dtype)
    return pairs


def _nearest(batch: int, count: int, device: str, dtype: torch.dtype) -> Pair:
    """What depends on the keys alone is done before, on both sides: a reference is heard once."""
    queries = torch.randn(batch * _WORDS, _WIDTH, device=device).to(dtype)
    keys = torch.randn(count, _WIDTH, device=device).to(dtype)
    scale, unit = inverse_norms(keys), F.normalize(keys.float(), dim=1).to(dtype).T

    def layers() -> tuple[Tensor, Tensor]:
        found = (queries @ unit).topk(_NEAREST, dim=1)
        return found.values * inverse_norms(queries)[:, None], found.indices

    return lambda: topk_cosine(queries, keys, _NEAREST, key_scale=scale), layers


def _mix(batch: int, device: str) -> Pair:
    """Two windows with their context, stereo; the layers have the weights of the blend."""
    size = _JOIN + _CONTEXT
    windows = torch.randn(batch, 2, size, device=device)
    backing = torch.randn(batch, 2, _LENGTH, device=device)
    gains = torch.rand(batch, 2, _LENGTH // _STEP + 2, device=device)
    places = torch.tensor([[0, 0, _JOIN], [_JOIN - _CONTEXT, _JOIN, _LENGTH]], device=device)
    places = places.repeat(batch, 1, 1)
    fades = torch.tensor([[0.0, _HALF], [_HALF, 0.0]], device=device).repeat(batch, 1, 1)
    past_join = torch.arange(size, device=device) + 0.5 - _JOIN
    falling = ((_HALF - past_join) / (2 * _HALF)).clamp(0.0, 1.0)
    rising = falling.flip(0)

    def ours() -> Tensor:
        return overlap_add_mix(
            windows, places, fades, gains, backing, step_samples=_STEP, offset_samples=_STEP
        )

    def layers() -> Tensor:
        mono = windows.new_zeros(batch, _LENGTH)
        mono[:, :size] += windows[:, 0] * falling
        mono[:, _LENGTH - size :] += windows[:, 1] * rising
        lines = F.interpolate(gains, scale_factor=_STEP, mode="linear", align_corners=False)
        vocal = mono[:, None] * lines[..., _STEP:-_STEP]
        return torch.stack([vocal + backing, vocal], 1)

    return ours, layers


def _stream(batch: int, rows: int, channels: int, device: str, dtype: torch.dtype) -> Pair:
    """A chunk of each of ``batch`` streams; the layers keep channels first, as cuDNN likes them."""
    x = torch.randn(batch, rows, channels, device=device).to(dtype)
    weight = torch.randn(_TAPS, channels, channels, device=device)
    weight = (weight * (_TAPS * channels) ** -0.5).to(dtype)
    state = torch.randn(batch, _TAPS - 1, channels, device=device).to(dtype)
    bias = torch.randn(channels, device=device)
    turned, held = x.transpose(1, 2).contiguous(), state.transpose(1, 2).contiguous()
    kernel, offset = weight.permute(2, 1, 0).contiguous(), bias.to(dtype)

    def layers() -> tuple[Tensor, Tensor]:
        whole = torch.cat([held, turned], 2)
        return F.conv1d(whole, kernel, offset), whole[..., rows:].contiguous()

    return lambda: stream_conv1d(x, weight, state, bias), layers
