"""The whole way, host sound in to host sound out, with the seconds of each stage."""

from __future__ import annotations

from typing import Any

from autovoice.bench.material import VOICE, song
from autovoice.bench.timing import timed, waiter
from autovoice.engine import Engine


def pipeline(engine: Engine, seconds: float, *, runs: int, mixed: bool = True) -> dict[str, Any]:
    """Time conversions of a stretch of the demo song.

    Args:
        engine: where it runs.
        seconds: how long the song is.
        runs: how often.
        mixed: separate first.

    Returns:
        The timing, milliseconds per stage of the fastest run, the peak of GPU memory in bytes.
    """
    audio, voice = song(seconds), engine.voice(VOICE)
    stages: list[dict[str, float]] = []

    def work() -> None:
        made = engine.convert(audio, voice, separate=mixed)
        stages.append(dict(made.timings))

    spent = timed(work, runs=runs, warm_up=3, wait=waiter(engine.device), longest_s=30)
    best = min(stages[3:], key=lambda timings: timings["total"])
    return {
        "seconds": seconds,
        "separated": mixed,
        **spent.to_json(),
        "stages_ms": {name: round(1_000 * value, 3) for name, value in best.items()},
        "x_real_time": round(spent.p50_ms / 1_000 / seconds, 4),
        "peak_vram_bytes": peak_vram_bytes(engine.device),
    }


def peak_vram_bytes(device: str) -> int | None:
    """Return the most GPU memory that this process had reserved, or None on the CPU."""
    if not device.startswith("cuda"):
        return None
    import torch

    return int(torch.cuda.max_memory_reserved(device))
