"""Measure live sessions side by side in real time, on whatever device is there; prints JSON.

python -m benchmarks.live --streams 1,4,16 --chunk-ms 100 --device auto --seconds 6

Every session sends its chunks at the times at which a microphone would. The latency of a chunk is
from its last sample to its sound; one of more than 50 ms is late, one that takes longer than it
lasts is an underrun. Figures are of the chunks after the first ``--settle`` seconds, in which
windows are still short; ``everything`` counts those too. A line on stderr follows each count of
streams, and what does not begin within ``--limit`` seconds is left out and named.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autovoice.engine import Builders, Engine
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.types import FloatArray
from benchmarks.machine import about

RATE_HZ = 48_000
# Later than this, a chunk misses the goal.
LATE_MS = 50.0


def measure(
    engine: Engine, sound: FloatArray, sessions: int, voice: Any, settle_s: float, **options: Any
) -> dict[str, Any]:
    """Run so many sessions at once and return what their chunks took.

    Args:
        engine: that all of them share.
        sound: ``[T]`` at 48 kHz, what each sends, begun at another place.
        sessions: how many.
        voice: of all, as ``Engine.session`` takes it.
        settle_s: of each session's sound, how much at its beginning is not counted.
        options: see ``LiveOptions``.
    """
    begun_s = time.perf_counter()
    lives = [
        engine.session(
            voice, sample_rate_hz=RATE_HZ, warm_up=sessions if number == 0 else False, **options
        )
        for number in range(sessions)
    ]
    opening_s, before = time.perf_counter() - begun_s, dict(engine.batch_sizes)
    begun_s, used_s = time.perf_counter(), time.process_time()
    late_ms = _sent(lives, sound)
    took_s, used_s = time.perf_counter() - begun_s, time.process_time() - used_s
    chunks = sum(map(len, late_ms))
    sizes = {size: count - before.get(size, 0) for size, count in engine.batch_sizes.items()}
    return {
        **_figures(lives, late_ms, settle_s),
        "opening_s": round(opening_s, 2),
        "chunks_per_s": round(chunks / took_s, 1),
        "processor_ms_per_chunk": round(1000 * used_s / chunks, 3),
        "batch_sizes": {size: count for size, count in sorted(sizes.items()) if count},
    }


def _sent(lives: Sequence[Any], sound: FloatArray) -> list[list[float]]:
    """Send all chunks at their times; return how late each session's came back, ms."""
    sessions, twice = len(lives), np.concatenate([sound, sound])
    late_ms: list[list[float]] = [[] for _ in lives]
    begin = time.perf_counter() + 0.2 + 0.001 * sessions

    def run(number: int) -> None:
        live = lives[number]
        size = live.options.chunk_samples
        moved = twice[number * len(sound) // sessions :][: len(sound)]
        chunk_s = size / RATE_HZ
        # Sessions do not all send at the same moment.
        offset_s = begin + chunk_s * number / sessions
        for index, at in enumerate(range(0, len(moved) - size, size)):
            due = offset_s + (index + 1) * chunk_s
            time.sleep(max(0.0, due - time.perf_counter()))
            live.convert(moved[at : at + size])
            late_ms[number].append(1000 * (time.perf_counter() - due))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return late_ms


def _figures(
    lives: Sequence[Any], late_ms: Sequence[Sequence[float]], settle_s: float
) -> dict[str, Any]:
    first = lives[0]
    skipped = round(1000 * settle_s / first.options.chunk_ms)
    whole = np.concatenate([np.asarray(one) for one in late_ms])
    every = np.concatenate([np.asarray(one[skipped:]) for one in late_ms])
    return {
        "streams": len(lives),
        "chunk_ms": first.options.chunk_ms,
        "lookahead_ms": first.options.lookahead_ms,
        "context_ms": first.options.context_ms,
        "render_ms": first.options.render_ms,
        "algorithmic_ms": round(first.stats.algorithmic_ms, 2),
        **_latencies(every, first.options.chunk_ms),
        "everything": _latencies(whole, first.options.chunk_ms),
        "first_chunk_ms": round(max(one[0] for one in late_ms), 2),
        "realtime_factor": round(max(live.stats.realtime_factor for live in lives), 4),
        "compute_p50_ms": round(float(np.median([o.stats.compute_p50_ms for o in lives])), 2),
        "notes": list(first.notes),
    }


def _latencies(every: NDArray[np.float64], chunk_ms: float) -> dict[str, Any]:
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(every, [50, 95, 99]))
    return {
        "chunks": len(every),
        "chunk_latency_p50_ms": p50,
        "chunk_latency_p95_ms": p95,
        "chunk_latency_p99_ms": p99,
        "chunk_latency_worst_ms": round(float(every.max()), 2),
        "late_share": round(float((every > LATE_MS).mean()), 4),
        "underruns": int((every > chunk_ms).sum()),
    }


def melody(seconds: float) -> FloatArray:
    """Return a sung-like saw that glides and pauses, ``[T]`` at 48 kHz."""
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    f0_hz = 220 * 2 ** (np.round(4 * np.sin(at_s)) / 12 + 0.02 * np.sin(2 * np.pi * 5.5 * at_s))
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    wave = sum(np.sin(n * phase) / n for n in range(1, 20))
    loud = 0.1 * (np.sin(2 * np.pi * at_s / 3) > -0.8)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(at_s))
    sound: FloatArray = (loud * wave + noise).astype(np.float32)
    return sound


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    chosen = _parser().parse_args(words)
    options = {key: value for key, value in vars(chosen).items() if key.endswith("_ms")}
    sound = _sound(chosen.recording, chosen.seconds)
    settle_s = min(chosen.settle, chosen.seconds / 2)
    begun = time.perf_counter()
    builders = Builders(resident=ResidentBuilders(everywhere=chosen.batched))
    engine = Engine(chosen.device, builders=builders)
    results: list[dict[str, Any]] = []
    left_out: list[int] = []
    for count in chosen.streams:
        if time.perf_counter() - begun > chosen.limit:
            left_out.append(count)
            continue
        run = measure(
            engine, sound, count, chosen.voice, settle_s, semitones=chosen.semitones, **options
        )
        results.append(run)
        print(json.dumps(run), file=sys.stderr, flush=True)
    found = {**about("python -m benchmarks.live"), "device": engine.device, "runs": results}
    print(json.dumps({**found, "left_out": left_out}, indent=2))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--streams", type=_counts, default=[1, 2, 4], help="such as 1,16,64")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=2.0)
    parser.add_argument("--limit", type=float, default=1e9)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--voice", default="kumo")
    parser.add_argument("--semitones", type=int, default=0)
    parser.add_argument("--recording", type=Path, help="what is sung; default: a made-up melody")
    parser.add_argument(
        "--batched", action="store_true", help="windows share passes on the CPU too, as on a GPU"
    )
    for name, default in (("chunk", 100), ("lookahead", 80), ("context", 1500), ("render", 300)):
        parser.add_argument(f"--{name}-ms", type=float, default=default)
    return parser


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _sound(recording: Path | None, seconds: float) -> FloatArray:
    if recording is None:
        return melody(seconds)
    from autovoice import io

    audio = io.read(recording)
    mono = io.resample(audio.mono()[None], audio.sample_rate_hz, RATE_HZ)[0]
    repeats = int(np.ceil(seconds * RATE_HZ / len(mono)))
    return np.tile(mono, repeats)[: round(seconds * RATE_HZ)]


if __name__ == "__main__":
    main()
