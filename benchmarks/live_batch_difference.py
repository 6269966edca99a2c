"""Say by how much a live window differs alone and in a batch, stage by stage; prints text.

python -m benchmarks.live_batch_difference --device auto --sizes 2,4,8

A window is sung alone and as one of several, in the same arithmetic; each figure is the largest
difference of any row to the same window alone, in decibels under its own power (-inf where not a
bit differs). Columns are sizes of batch, the first the window alone once more. ``half`` is what the
device runs, ``float32`` the plain networks. Then what is found in the sound is traced: a window
alone is given one stage's values as they came in the batch, and its sound compared with what it
was. Tables more allow or forbid what is known to make results depend on the batch: TF32 in the
pitch network, and sums in half precision in matrix products.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

from autovoice.analyse.content import ContentEncoder
from autovoice.analyse.resident import Hearing
from autovoice.convert import Converter
from autovoice.engine.resident_live import Asked, LiveSinger
from autovoice.kernels import harmonic_source, polar_stft
from autovoice.nn import fused_decoder, fused_generator, swift_f0
from autovoice.types import FloatArray
from autovoice.vocode import Vocoder
from autovoice.vocode.live_windows import Plan

RATE_HZ = 24_000
# A chunk of 100 ms in a window of 0.4 s, as a session of a musician asks for.
PLAN = Plan(frames=16, start=4_800, new=2_400, before=72, after=312, rendered=6_000)
# Pitch in Hz and shift in semitones: two whose own excitation carries, two that are moved.
KINDS = ((200.0, 0), (310.0, 0), (150.0, 12), (180.0, 12))
SWAPPED = ("planes", "words", "pitch", "energy")
Values = dict[str, Tensor]


@dataclass
class Tap:
    """Notes what passes, and puts other values in their place.

    Args:
        seen: of the last pass, by the name of the stage.
        instead: what is given on in place of what a stage made.
    """

    seen: Values = field(default_factory=dict)
    instead: Values = field(default_factory=dict)

    def note(self, name: str, value: Tensor) -> Tensor:
        """Keep a copy of ``value``, and return it or what stands in its place."""
        value = self.instead.get(name, value)
        self.seen[name] = value.detach().double().cpu()
        return value

    def on(self, owner: Any, method: str, *names: str) -> None:
        """Note what a method returns: one name for a tensor, or one for each of several."""
        work = getattr(owner, method)

        def noted(*args: Any, **options: Any) -> Any:
            made = work(*args, **options)
            if isinstance(made, Tensor):
                return self.note(names[0], made)
            return tuple(self.note(name, one) for name, one in zip(names, made, strict=True))

        setattr(owner, method, noted)

    def after(self, layer: nn.Module, name: str) -> None:
        """Note what a layer returns."""
        layer.register_forward_hook(lambda _layer, _given, made: self.note(name, made))


def singer_on(device: str, halved: frozenset[str]) -> tuple[LiveSinger, Tap]:
    """Make what sings windows, with a tap at each stage and no graphs.

    Args:
        device: ``cpu`` or ``cuda``.
        halved: what runs as the device runs it, ``words`` and ``decoder``; else in float32.
    """
    tap = Tap()
    hearing, encoder = Hearing(device=device), ContentEncoder(device=device)
    converter, vocoder = Converter(device=device), Vocoder(device=device)
    if "words" not in halved:
        encoder.network.float()
        converter.adapter.float()
    if "decoder" not in halved:
        vocoder._fast = None
    singer = LiveSinger(hearing, encoder, converter, vocoder)
    for stage in (singer, hearing, encoder, converter):
        stage.graphs.most_values = -1
    tap.on(hearing, "windows", "sound at 16 kHz", "pitch", "energy", "activity")
    tap.on(encoder, "planes", "planes")
    tap.on(converter, "words", "words")
    _tap_decoder(tap, vocoder)
    tap.on(vocoder, "window", "decoded")
    return singer, tap


def _tap_decoder(tap: Tap, vocoder: Vocoder) -> None:
    if vocoder._fast is None:
        network = vocoder.network
        tap.after(network.generator.m_source, "excitation")
        tap.after(network.decode[-1], "features")
        tap.on(network.generator, "_analyse", "magnitude and angle")
        tap.after(network.generator.resblocks[2], "stage 1, last block")
        tap.after(network.generator.resblocks[5], "stage 2, last block")
        tap.after(network.generator.conv_post, "log magnitude and phase")
        return
    fused: Any = vocoder._fast._fused
    source_of, polar_of = harmonic_source, polar_stft

    def source(*args: Any, **options: Any) -> tuple[Tensor, Tensor]:
        made, phase = source_of(*args, **options)
        return tap.note("excitation", made), phase

    names: Any = fused_decoder, fused_generator
    names[0].harmonic_source = source
    names[1].polar_stft = lambda *args: tap.note("magnitude and angle", polar_of(*args))
    tap.after(fused.features, "features")
    tap.after(fused.generator.styles, "styles")
    stage = fused.generator._stage

    def noted(index: int, *args: Any, **options: Any) -> Tensor:
        return tap.note(f"stage {index + 1}", stage(index, *args, **options))

    fused.generator._stage = noted
    tap.after(fused.generator.post, "log magnitude and phase")


def vowel(f0_hz: float) -> FloatArray:
    """Return a window of a vowel with breath and vibrato, ``[T]``."""
    time_s = np.arange(PLAN.samples) / RATE_HZ
    phase = 2 * np.pi * (f0_hz * time_s + 0.3 * np.sin(2 * np.pi * 5 * time_s))
    wave = sum(np.sin(k * phase) / k for k in range(1, 20))
    breath = np.random.default_rng(round(f0_hz)).standard_normal(len(time_s)) * 0.002
    made: FloatArray = (0.1 * wave + breath).astype(np.float32)
    return made


def asked(singer: LiveSinger, count: int, style: FloatArray) -> list[Asked]:
    """Return windows of streams that begin, of all kinds in turn."""
    noise = np.random.default_rng(1).standard_normal(PLAN.samples).astype(np.float32)
    kinds = [KINDS[index % len(KINDS)] for index in range(count)]
    return [
        Asked(singer.open(), vowel(hz), noise, style, {}, 1.0, None, semitones, 1.0, 1.0)
        for hz, semitones in kinds
    ]


def passed(singer: LiveSinger, tap: Tap, windows: Sequence[Asked], instead: Values) -> Values:
    """Sing windows in one pass and return what was seen, ``[B, ...]`` by stage."""
    tap.seen, tap.instead = {}, instead
    for window in windows:
        window.stream.fresh = True
    made = singer.tried(lambda: singer._run([(window, PLAN) for window in windows]))
    tap.seen["sound"] = torch.from_numpy(np.stack([one.samples for one in made])).double()
    return tap.seen


def apart_db(found: Tensor, wanted: Tensor) -> float:
    """Return the power of the difference under that of what was wanted."""
    power = float(wanted.square().mean())
    return 10 * float(np.log10(max(float((found - wanted).square().mean()), 1e-300) / power))


def worst(together: Values, alone: Sequence[Values]) -> dict[str, float]:
    """Return each stage's largest difference of any row; ``alone`` may hold more than those."""
    return {
        name: max(apart_db(value, one[name][0]) for value, one in zip(values, alone, strict=False))
        for name, values in together.items()
    }


def compared(singer: LiveSinger, tap: Tap, sizes: Sequence[int]) -> None:
    """Print the table of one arithmetic."""
    style = np.random.default_rng(7).standard_normal(128).astype(np.float32) * 0.1
    windows = asked(singer, max(sizes), style)
    alone = [passed(singer, tap, [window], {}) for window in windows]
    twice = worst(passed(singer, tap, windows[:1], {}), alone[:1])
    columns = {1: twice}
    swapped: dict[str, dict[int, float]] = {name: {} for name in SWAPPED}
    for size in sizes:
        together = passed(singer, tap, windows[:size], {})
        columns[size] = worst(together, alone)
        few = min(size, len(KINDS))
        for name in SWAPPED:
            swapped[name][size] = max(
                _by(singer, tap, window, {name: together[name][row : row + 1]}, base)
                for row, (window, base) in enumerate(zip(windows[:few], alone, strict=False))
            )
    head = "".join(f"{size:>9}" for size in columns)
    print(f"{'':34}{head}")
    for name in together:
        print(f"{name:34}" + "".join(f"{_shown(column[name])}" for column in columns.values()))
    for name, found_at in swapped.items():
        cells = "".join(_shown(found_at[size]) for size in sizes)
        print(f"{'sound, by ' + name + ' of the batch':34}{'':9}{cells}")


def _by(singer: LiveSinger, tap: Tap, window: Asked, instead: Values, base: Values) -> float:
    """Return by how much a window alone differs from ``base`` with values of a batch."""
    there = {name: value.float().to(singer.device) for name, value in instead.items()}
    return apart_db(passed(singer, tap, [window], there)["sound"][0], base["sound"][0])


def _shown(value: float) -> str:
    return f"{'-inf':>9}" if value < -250 else f"{value:9.1f}"


@contextlib.contextmanager
def _rounded_pitch() -> Iterator[None]:
    with mock.patch.object(swift_f0, "float32_convolutions", contextlib.nullcontext):
        yield


@contextlib.contextmanager
def _half_sums(allowed: bool) -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_fp16_reduced_precision_reduction
    matmul.allow_fp16_reduced_precision_reduction = allowed
    try:
        yield
    finally:
        matmul.allow_fp16_reduced_precision_reduction = before


NEITHER: frozenset[str] = frozenset()
BOTH, DECODER = frozenset({"words", "decoder"}), frozenset({"decoder"})
CASES: tuple[tuple[str, frozenset[str], Callable[[], Any]], ...] = (
    ("half", BOTH, contextlib.nullcontext),
    ("half, pitch network in TF32", BOTH, _rounded_pitch),
    ("half, no sums in half precision", BOTH, lambda: _half_sums(False)),
    ("half, words in float32", DECODER, contextlib.nullcontext),
    ("float32", NEITHER, contextlib.nullcontext),
    ("float32, pitch network in TF32", NEITHER, _rounded_pitch),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--sizes", default="2,4,8", help="of batches")
    chosen = parser.parse_args(arguments)
    device = chosen.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes = [int(size) for size in chosen.sizes.split(",")]
    begun_s = time.perf_counter()
    made: dict[frozenset[str], tuple[LiveSinger, Tap]] = {}
    for title, halved, setting in CASES:
        if halved not in made:
            made[halved] = singer_on(device, halved)
        print(f"\n{title} ({device}, {time.perf_counter() - begun_s:.1f} s)")
        with setting():
            compared(*made[halved], sizes)


if __name__ == "__main__":
    main()
