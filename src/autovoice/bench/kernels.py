"""Each op beside what PyTorch's own layers make of the same work, eager and compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.bench.kernels_heard import heard_pairs
from autovoice.bench.kernels_tried import tried_pairs
from autovoice.bench.timing import Pair, Timing, Work, timed
from autovoice.errors import InputError
from autovoice.kernels import (
    Activation,
    harmonic_source,
    polar_istft,
    polar_stft,
    row_moments,
    style_conv1d,
    style_pool,
)
from autovoice.nn.adain import adain_snake, modulate
from autovoice.nn.harmonic_source import HarmonicSource
from autovoice.nn.inverse_stft import InverseStft

log = logging.getLogger(__name__)
# Launched so often in one run that the clock sees kernels and not their launch.
_REPEATS = 20


def kernels(
    device: str,
    *,
    runs: int,
    compiled: bool,
    only: Sequence[str] = (),
    told: Callable[[dict[str, Any]], None] = lambda _row: None,
) -> list[dict[str, Any]]:
    """Time every op on 1 s and on 64 s of sound.

    Args:
        device: a CUDA device.
        runs: how often each way is timed, 20 replays of a graph each.
        compiled: also time ``torch.compile`` of the layers.
        only: how the names of ops begin that are timed. Default: all.
        told: is given each row once it is there, since compiling all takes minutes.

    Returns:
        One row per op, batch and way: ``op``, ``batch``, ``way`` and the timing of one call.

    Raises:
        InputError: no op has such a name.
    """
    rows = []
    with torch.inference_mode():
        for batch in (1, 64):
            for op, (ours, layers) in _chosen(_pairs(batch, device), only).items():
                ways = {"kernel": ours, "eager": layers}
                if compiled:
                    ways["torch.compile"] = _compiled(layers)
                for way, work in ways.items():
                    spent = _per_call(work, runs)
                    if spent is not None:
                        rows.append({"op": op, "batch": batch, "way": way, **spent.to_json()})
                        told(rows[-1])
    return rows


def _chosen(pairs: dict[str, Pair], only: Sequence[str]) -> dict[str, Pair]:
    unknown = [name for name in only if not any(op.startswith(name) for op in pairs)]
    if unknown:
        raise InputError(
            f"--kernel: found {', '.join(map(repr, unknown))}, expected how the name of one of "
            f"these begins: {'; '.join(pairs)}"
        )
    return {op: pair for op, pair in pairs.items() if not only or op.startswith(tuple(only))}


def _compiled(work: Work) -> Work:
    return torch.compile(work, dynamic=False)


def _per_call(work: Work, runs: int) -> Timing | None:
    """Return the time of one call inside a graph of twenty; None where it cannot be captured."""
    try:
        beside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(beside):
            for _ in range(3):
                work()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(_REPEATS):
                work()
    except RuntimeError as error:
        log.warning("left out: %s", str(error).splitlines()[0])
        return None
    whole = timed(graph.replay, runs=runs, wait=torch.cuda.synchronize)
    return Timing(
        whole.p50_ms / _REPEATS, whole.p95_ms / _REPEATS, whole.p99_ms / _REPEATS,
        whole.least_ms / _REPEATS, whole.runs,
    )  # fmt: skip


def _pairs(batch: int, device: str) -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    for channels, rows, taps in ((256, 800, 7), (128, 4801, 3), (128, 4801, 7), (128, 4801, 11)):
        name = f"style_conv1d {channels} channels, {taps} taps"
        pairs[name] = _conv(batch, rows, channels, taps, device)
    f0_hz = torch.full((batch, 80), 220.0, device=device)
    noise = torch.randn(batch, 24_000, device=device)
    layer = HarmonicSource().to(device)
    mixer = (layer.l_linear.weight[0].contiguous(), layer.l_linear.bias)
    pairs["harmonic_source"] = (
        lambda: harmonic_source(f0_hz, *mixer, noise=noise),
        lambda: layer(f0_hz, noise),
    )
    window = torch.hann_window(20, device=device)
    pairs["polar_stft"] = (lambda: polar_stft(noise), lambda: _polar(noise, window))
    wide = torch.randn(batch, 4801, 32, device=device)
    inverse = InverseStft(20, 5).to(device)
    pairs["polar_istft"] = (lambda: polar_istft(wide), lambda: _unpolar(wide, inverse))
    pairs |= _style_rows(batch, device) | heard_pairs(batch, device)
    return pairs | tried_pairs(batch, device)


def _style_rows(batch: int, device: str) -> dict[str, Pair]:
    x = torch.randn(batch, 40, 1024, device=device).half()
    turned = x.transpose(1, 2).contiguous()
    factors = torch.randn(batch, 2048, device=device)
    weight, bias = torch.randn(3, 1024, device=device), torch.randn(1024, device=device)
    pool = nn.ConvTranspose1d(1024, 1024, 3, 2, groups=1024, padding=1, output_padding=1)
    pool = pool.to(device).half()
    sums = row_moments(x)
    return {
        "row_moments": (
            lambda: row_moments(x),
            lambda: (x.float().sum(1), x.float().square().sum(1)),
        ),
        "style_pool": (
            lambda: style_pool(x, sums, factors, weight, bias),
            lambda: pool(F.leaky_relu(modulate(turned, factors.half()), 0.2)),
        ),
    }


def _conv(batch: int, rows: int, channels: int, taps: int, device: str) -> Pair:
    """One convolution of a residual block: style, Snake, convolution, residual."""
    x = torch.randn(batch, rows, channels, device=device).half()
    turned = x.transpose(1, 2).contiguous()
    weight = (torch.randn(taps, channels, channels, device=device) * 0.05).half()
    kernel, pad = weight.permute(2, 1, 0).contiguous(), taps // 2
    bias, alpha = torch.randn(channels, device=device), torch.rand(channels, device=device) + 0.1
    factors, sums = torch.randn(batch, 2 * channels, device=device) * 0.3, row_moments(x)
    out = torch.zeros_like(sums)
    half = (factors.half(), alpha.half()[:, None], bias.half())

    def ours() -> Tensor:
        return style_conv1d(
            x, weight, bias, activation=Activation.STYLE_SNAKE, moments=sums, factors=factors,
            alpha=alpha, padding=pad, residual=x, moments_out=out,
        )  # fmt: skip

    def layers() -> Tensor:
        styled = adain_snake(turned, half[0], half[1])
        return turned + F.conv1d(styled, kernel, half[2], padding=pad)

    return ours, layers


def _polar(sound: Tensor, window: Tensor) -> Tensor:
    spectrum = torch.stft(sound, 20, 5, window=window, return_complex=True)
    return torch.cat([spectrum.abs(), spectrum.angle()], dim=1).half()


def _unpolar(x: Tensor, inverse: InverseStft) -> Tensor:
    x = x.transpose(1, 2)
    magnitude, phase = x[:, :11].clamp(max=10.0).exp(), x[:, 11:22].sin()
    sound: Tensor = inverse(magnitude * phase.cos(), magnitude * phase.sin())
    return sound
