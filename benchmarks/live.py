"""Measure live sessions side by side in real time, on whatever device is there; prints JSON.

python -m benchmarks.live --sessions 1 4 16 --chunk-ms 100 --device auto --seconds 20

Every session sends its chunks at the times at which a microphone would. The latency of a chunk is
from its last sample to its sound; a chunk that takes longer than it lasts is an underrun.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autovoice.engine import Engine
from autovoice.types import FloatArray
from benchmarks.machine import about

RATE_HZ = 48_000


def measure(
    engine: Engine, sound: FloatArray, sessions: int, voice: str, **options: Any
) -> dict[str, Any]:
    """Run so many sessions at once and return what their chunks took.

    Args:
        engine: that all of them share.
        sound: ``[T]`` at 48 kHz, what each sends, begun at another place.
        sessions: how many.
        voice: of all.
        options: see ``LiveOptions``.
    """
    lives = [
        engine.session(voice, sample_rate_hz=RATE_HZ, warm_up=number == 0, **options)
        for number in range(sessions)
    ]
    late_ms: list[list[float]] = [[] for _ in lives]
    begin = time.perf_counter() + 0.2

    def run(number: int) -> None:
        live = lives[number]
        size = live.options.chunk_samples
        moved = np.roll(sound, -number * len(sound) // sessions)
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
    return _figures(lives, late_ms)


def _figures(lives: Sequence[Any], late_ms: Sequence[Sequence[float]]) -> dict[str, Any]:
    every = np.concatenate([np.asarray(one) for one in late_ms])
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(every, [50, 95, 99]))
    first = lives[0]
    return {
        "sessions": len(lives),
        "chunk_ms": first.options.chunk_ms,
        "lookahead_ms": first.options.lookahead_ms,
        "context_ms": first.options.context_ms,
        "render_ms": first.options.render_ms,
        "algorithmic_ms": round(first.stats.algorithmic_ms, 2),
        "chunks": len(every),
        "chunk_latency_p50_ms": p50,
        "chunk_latency_p95_ms": p95,
        "chunk_latency_p99_ms": p99,
        "chunk_latency_worst_ms": round(float(every.max()), 2),
        "first_chunk_ms": round(max(one[0] for one in late_ms), 2),
        "underruns": int((every > first.options.chunk_ms).sum()),
        "realtime_factor": round(max(live.stats.realtime_factor for live in lives), 4),
        "compute_p50_ms": round(float(np.median([o.stats.compute_p50_ms for o in lives])), 2),
        "notes": list(first.notes),
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
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--voice", default="kumo")
    parser.add_argument("--semitones", type=int, default=0)
    parser.add_argument("--recording", type=Path, help="what is sung; default: a made-up melody")
    for name, default in (("chunk", 100), ("lookahead", 80), ("context", 1500), ("render", 300)):
        parser.add_argument(f"--{name}-ms", type=float, default=default)
    chosen = parser.parse_args(words)
    options = {key: value for key, value in vars(chosen).items() if key.endswith("_ms")}
    sound = _sound(chosen.recording, chosen.seconds)
    engine = Engine(chosen.device)
    results = [
        measure(engine, sound, count, chosen.voice, semitones=chosen.semitones, **options)
        for count in chosen.sessions
    ]
    found = {**about("python -m benchmarks.live"), "device": engine.device, "runs": results}
    print(json.dumps(found, indent=2))


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
