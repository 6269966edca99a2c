"""Print what each op must at least cost: ``python scripts/kernel_costs.py [BATCH ...]``.

One pass of ``FusedDecoder`` over a second of audio, and what hears a second, is traced without
computing anything; from the
shapes of each call follow the bytes that must move and the arithmetic. The rows go into the tables
of ``docs/kernels/``.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from autovoice.kernels import FrameRules, pitch_finish
from autovoice.nn.decoder import ASR_DIM, STYLE_DIM, KokoroDecoder
from autovoice.nn.fused_decoder import FusedDecoder
from autovoice.nn.mel24k import Mel24k
from autovoice.nn.swift_f0 import LogSpectrogram
from autovoice.nn.whisper_mel import WhisperMel

FRAMES = 40  # of asr: one second
BATCHES = (1, 16, 64)
# One H100 SXM: memory, dense half precision with fp32 sums, and what mma.sync reaches of it.
BYTES_PER_S, TENSOR_FLOPS, MMA_SHARE, FLOAT_FLOPS = 3.35e12, 989e12, 0.6, 67e12
DECODER_OPS = (
    "style_conv1d", "row_moments", "style_pool", "harmonic_source", "polar_stft", "polar_istft",
)  # fmt: skip
HEARING_OPS = ("pitch_finish", "log_mel")
OPS = (*DECODER_OPS, *HEARING_OPS)
CUT = 1025  # samples under the longest window of a frame's pitch


@dataclass
class Cost:
    """Sums over calls.

    Args:
        calls: how many.
        flops: multiplications and additions.
        moved: bytes, each tensor of a call once.
    """

    calls: int = 0
    flops: float = 0.0
    moved: int = 0

    def floor_s(self, flops_per_s: float) -> float:
        """Return the time that memory or arithmetic needs, whichever is more."""
        return max(self.moved / BYTES_PER_S, self.flops / flops_per_s)


def flops(op: str, arguments: Sequence[Any], made: Any) -> float:
    """Return the arithmetic of a call; of transcendental functions each counts as one."""
    x: Tensor = arguments[0]
    results: list[Tensor] = [made] if isinstance(made, Tensor) else list(made)
    y = results[0]
    if op == "style_conv1d":
        taps, channels = arguments[1].shape[:2]
        return float(2 * y.numel() * taps * channels)
    if op == "row_moments":
        return 3.0 * x.numel()
    if op == "style_pool":  # style and slope of each row; two taps and one tap with an offset
        return 4.0 * x.numel() + 3.0 * y.numel()
    if op == "harmonic_source":  # of each harmonic: turn, wrap, sine, sum; and the noise
        harmonics: Tensor = arguments[1]
        return y.numel() * (7.0 * harmonics.numel() + 40.0)
    if op == "polar_stft":  # a product of 22 by 20, then magnitude and angle
        return y.shape[0] * y.shape[1] * (2.0 * 22 * 20 + 2 * 11)
    # Four frames cover a sample; each frame needs exp, sin, sin, cos and two products a bin.
    return 4.0 * y.numel() * 2 * 22 + x.shape[0] * x.shape[1] * 6.0 * 11


def hearing_flops(op: str, arguments: Sequence[Any], made: Any) -> float:
    """Return the arithmetic of a call of an op that hears, counted as ``flops`` does."""
    if op == "pitch_finish":  # windows at their longest: 8 partials, then 6 of two windows
        coarse, fine = float(arguments[1].numel()), float(made[0].numel())
        return CUT * (coarse * (8 * 10.0 + 10) + fine * (6 * 14.0 + 20))
    # A real transform, levels, two bands a bin.
    frames = float(arguments[5] * arguments[0].shape[0])
    sizes: list[int] = [window.numel() for window in arguments[1]]
    return sum(frames * (2.5 * n * math.log2(n) + 8 * (n / 2 + 1)) for n in sizes)


def moved_bytes(op: str, arguments: Sequence[Any], made: Any) -> int:
    """Return the bytes of all tensors of a call; what is added to is read and written."""
    given = [value for value in arguments if isinstance(value, Tensor)]
    if op == "log_mel":  # of a bank what is not 0: two values a bin
        given += [*arguments[1], *arguments[1], *arguments[3]]
    results = [made] if isinstance(made, Tensor) else list(made)
    total = sum(tensor.numel() * tensor.element_size() for tensor in [*given, *results])
    if op == "polar_stft":  # the trace is the CPU's, whose rows are twice as wide
        total -= made.numel() * 2
    if op == "style_conv1d" and isinstance(arguments[9], Tensor):
        total += arguments[9].numel() * arguments[9].element_size()
    return int(total)


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Add up the costs of every call of our ops."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.costs = {op: Cost() for op in OPS}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call, and count."""
        call: Callable[..., Any] = func
        made = call(*args, **(kwargs or {}))
        if func.namespace == "autovoice":
            op = func._opname
            cost = self.costs[op]
            cost.calls += 1
            counted = hearing_flops if op in HEARING_OPS else flops
            cost.flops += counted(op, args, made)
            cost.moved += moved_bytes(op, args, made)
        return made


def costs(batch: int) -> dict[str, Cost]:
    """Trace one pass over a second of ``batch`` items."""
    with FakeTensorMode(), torch.no_grad():
        decoder = FusedDecoder(KokoroDecoder(), torch.float16)
        curve = torch.empty(batch, 2 * FRAMES)
        seed = torch.empty(batch, 2, dtype=torch.int64)
        ledger = Ledger()
        with ledger:
            words, style = torch.empty(batch, ASR_DIM, FRAMES), torch.empty(batch, STYLE_DIM)
            decoder(words, curve, curve, style, seed=seed)
            _hear(batch)
    return ledger.costs


def _hear(batch: int) -> None:
    """Call what hears a second: the pitch network's spectra, energy, the recogniser's, pitch."""
    at_16k, at_24k = torch.empty(batch, 16_000), torch.empty(batch, 24_000)
    LogSpectrogram().fused(torch.empty(batch, 16_128))
    Mel24k().log_norm(at_24k)
    WhisperMel().fused(at_16k)
    raw, rules = torch.empty(batch, 63), FrameRules(0.5, 0.45, -66.0, 50.0, 2, 3)
    pitch_finish(at_16k, raw, raw, hop_samples=256, rules=rules)


def row(op: str, batch: int, cost: Cost) -> str:
    """Return a row of a table: batch, calls, MFLOP, MB, floor, for tensor cores with mma.sync."""
    tensor = op == "style_conv1d"
    floors = [cost.floor_s(TENSOR_FLOPS if tensor else FLOAT_FLOPS)]
    floors += [cost.floor_s(TENSOR_FLOPS * MMA_SHARE)] if tensor else []
    numbers = [cost.flops / 1e6, cost.moved / 1e6, *(1e6 * floor for floor in floors)]
    return "| " + " | ".join([str(batch), str(cost.calls), *map(_shown, numbers)]) + " |"


def _shown(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2g}"


def main(arguments: Sequence[str]) -> int:
    """Print the rows of every op."""
    traced = {batch: costs(batch) for batch in map(int, arguments or map(str, BATCHES))}
    for op in OPS:
        print(f"{op}: batch, calls, MFLOP, MB, floor in us (for tensor cores also with mma.sync)")
        for batch, found in traced.items():
            print(row(op, batch, found[op]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
