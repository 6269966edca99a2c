"""One second on a device, stage by stage: times, launches, waits, and how equal the sound is.

python -m benchmarks.resident [--device cuda] [--seconds 1] [--runs 200] [--semitones 0]

Three ways are measured in one run: ``plain``, with NumPy between the networks; ``resident``, with
everything on the device; and ``references``, the same with PyTorch's layers in place of the ops
that hear. Prints JSON. On the CPU launches are ops that are no views.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autovoice.bench.material import VOICE, song
from autovoice.bench.timing import waiter
from autovoice.config import preset
from autovoice.engine import Builders, Engine
from autovoice.engine.batching import Call, calling
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.kernels import switched_off
from benchmarks import resident_counts, resident_equal
from benchmarks.machine import about

WARM_UP = 5
HEARING_OPS = ("pitch_finish", "log_mel")


def ways() -> dict[str, Builders]:
    """Return how each way builds its stages."""
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    return {
        "plain": Builders(resident=ResidentBuilders(nothing, nothing, nothing, nothing)),
        "references": Builders(resident=ResidentBuilders(everywhere=True)),
        "resident": Builders(resident=ResidentBuilders(everywhere=True)),
    }


def times(engine: Engine, seconds: float, runs: int, semitones: int | str) -> dict[str, Any]:
    """Return p50 and p99 of every stage and of all, milliseconds as the caller sees them."""
    audio, voice, wait = song(seconds), engine.voice(VOICE), waiter(engine.device)
    found: list[dict[str, float]] = []
    for run in range(WARM_UP + runs):
        made = engine.convert(audio, voice, semitones=semitones)
        wait()
        if run >= WARM_UP or runs == 1:
            found.append(dict(made.timings))
    names = list(dict.fromkeys(name for timings in found for name in timings))
    table = {name: [1_000 * timings.get(name, 0.0) for timings in found] for name in names}
    return {
        name: dict(zip(("p50", "p99"), np.percentile(row, [50, 99]).round(3).tolist(), strict=True))
        for name, row in table.items()
    }


def measure(device: str, seconds: float, runs: int, semitones: int | str) -> dict[str, Any]:
    """Measure each way, and compare the last with the CPU."""
    found: dict[str, Any] = {"seconds": seconds, "semitones": semitones}
    engines = {way: Engine(device, builders=built) for way, built in ways().items()}
    for way, engine in engines.items():
        mixed = preset("balanced").mixed_precision
        with contextlib.ExitStack() as stack:
            if way == "references":
                stack.enter_context(switched_off(*HEARING_OPS))
            found[way] = {"ms": times(engine, seconds, runs, semitones)}
            stack.enter_context(calling(Call(mixed_precision=mixed)))
            found[way]["counts"] = resident_counts.counts(engine, song(seconds), semitones)
    found["equal"] = resident_equal.compare(engines["resident"], song(seconds))
    return found


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resident", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--semitones", default="auto", help="a number, or auto")
    chosen = parser.parse_args(words)
    shift = chosen.semitones if chosen.semitones == "auto" else int(chosen.semitones)
    command = f"python -m benchmarks.resident --seconds {chosen.seconds:g} --runs {chosen.runs}"
    found = {
        "about": about(command),
        **measure(chosen.device, chosen.seconds, chosen.runs, shift),
    }
    print(json.dumps(found, indent=1))
    return found


if __name__ == "__main__":
    main()
