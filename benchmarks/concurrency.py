"""Many requests at once against one engine: how long each takes, how many a second.

python -m benchmarks.concurrency [--requests 100] [--rounds 3] [--warm-up 1] [--seconds 1]
python -m benchmarks.concurrency --streams 50 [--chunks 30] [--chunk-ms 100] [--window-s 1]

Prints JSON. Requests all come at the same moment, each from a thread and with a voice in turn.
Before them the engine warms up (``Engine.warm_up``: tones in every size of batch) and as many
rounds are run as ``--warm-up`` says; they are told apart and are in none of the figures.
Streams are what live sessions ask of the networks: each comes every ``--chunk-ms`` with its last
``--window-s`` of sound, at live priority; a chunk that is not back when the next one is due counts
as an underrun.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from autovoice import io, weights
from autovoice.engine import Engine, EnginePool
from autovoice.engine.batching import Call, Priority
from autovoice.types import Audio
from autovoice.voices.builtin import BUILTIN_VOICES
from benchmarks.machine import about
from benchmarks.process import KIB

BEGIN_S = 2.0  # where the demo song is sung


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    chosen = _parser().parse_args(words)
    names = chosen.device.split(",")
    pool = EnginePool(names, make=Engine, max_concurrent=chosen.max_concurrent)
    engines = pool.engines
    engine = engines[0] if len(engines) == 1 else pool
    voices = [engine.voice(name) for name in BUILTIN_VOICES]
    clip = _clip(chosen.window_s if chosen.streams else chosen.seconds)
    if chosen.streams:
        work = _live(engines[0], clip, voices, chosen)
    else:
        work = _requests(engine, clip, voices, chosen)
    found = work()
    command = " ".join(["python -m benchmarks.concurrency", *(words or ())])
    print(
        json.dumps(
            {
                "about": about(command),
                "device": engine.device,
                "why": engines[0].choice.reason,
                **found,
                "batches": [vars(each._batcher.tally) for each in engines],
                **_peak(engines[0].device),
            },
            indent=2,
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.concurrency", description=__doc__)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=1, help="rounds; 0 shows what a start costs")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--no-separate", action="store_true")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--chunk-ms", type=float, default=100.0)
    parser.add_argument("--window-s", type=float, default=1.0)
    parser.add_argument("--max-concurrent", type=int)
    parser.add_argument(
        "--device", default="auto", help="several with commas, such as cuda:0,cuda:1"
    )
    return parser


def _clip(seconds: float) -> Audio:
    """Return a sung stretch of the demo song."""
    song = io.read(weights.file("demo-song", "audio_example.mp3"))
    first = round(BEGIN_S * song.sample_rate_hz)
    cut = song.samples[:, first : first + round(seconds * song.sample_rate_hz)]
    return Audio(np.ascontiguousarray(cut), song.sample_rate_hz)


def _requests(
    engine: Engine | EnginePool, clip: Audio, voices: Sequence[Any], chosen: argparse.Namespace
) -> Callable[[], dict[str, Any]]:
    """Return what sends all requests at once, after the warm-up."""

    def one(number: int) -> None:
        engine.convert(
            clip,
            voices[number % len(voices)],
            preset=chosen.preset,
            separate=not chosen.no_separate,
            semitones=12,  # so that the voice model alone carries the result
            seed=number,
        )

    def work() -> dict[str, Any]:
        begin_s = time.perf_counter()
        sizes = {}
        if chosen.warm_up:
            sizes = engine.warm_up(
                (clip.seconds,), most=_together_on(engine.device, chosen.requests)
            )
        one(0)
        loaded_s = time.perf_counter() - begin_s
        early, _ = rounds(one, chosen.requests, chosen.warm_up)
        taken, wall_s = rounds(one, chosen.requests, chosen.rounds)
        rate = chosen.requests * chosen.rounds / wall_s
        return {
            "warm_up": {
                "rounds": chosen.warm_up,
                "load_s": round(loaded_s, 2),
                "sizes_s": sizes,
                **(percentiles_ms(early) if early else {}),
            },
            "requests": chosen.requests,
            "rounds": chosen.rounds,
            "clip_s": clip.seconds,
            "requests_per_s": round(rate, 2),
            "x_real_time": round(1 / (rate * clip.seconds), 4),
            **percentiles_ms(taken),
        }

    return work


def _together_on(device: str, requests: int) -> int:
    """Return how many tones warm up: on the CPU one, as nothing is captured there."""
    return 1 if device == "cpu" else requests


def rounds(one: Callable[[int], None], count: int, times: int) -> tuple[list[float], float]:
    """Run ``count`` at the same moment, ``times`` one after another; see ``together``."""
    taken, wall_s = [], 0.0
    for _ in range(times):
        found, round_s = together(one, count)
        taken += found
        wall_s += round_s
    return taken, wall_s


def together(one: Callable[[int], None], count: int) -> tuple[list[float], float]:
    """Run ``one(0)`` to ``one(count - 1)`` at the same moment, a thread each.

    Returns:
        Seconds of each, from that moment on, and of all.
    """
    taken, ready = [0.0] * count, threading.Barrier(count + 1)
    begin_s = [0.0]

    def run(number: int) -> None:
        ready.wait()
        one(number)
        taken[number] = time.perf_counter() - begin_s[0]

    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(run, number) for number in range(count)]
        begin_s[0] = time.perf_counter()
        ready.wait()
        for each in asked:
            each.result()
    return taken, time.perf_counter() - begin_s[0]


def percentiles_ms(taken: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th and the 99th percentile and the worst, in milliseconds."""
    found = np.percentile(np.asarray(taken) * 1000, [50, 95, 99, 100])
    return {
        name: round(float(value), 2)
        for name, value in zip(("p50_ms", "p95_ms", "p99_ms", "worst_ms"), found, strict=True)
    }


def _live(
    engine: Engine, clip: Audio, voices: Sequence[Any], chosen: argparse.Namespace
) -> Callable[[], dict[str, Any]]:
    """Return what runs all streams side by side."""
    from autovoice.config import preset
    from autovoice.engine.pipeline import Pipeline
    from autovoice.engine.progress import Reporter

    def chunk(number: int) -> None:
        """Convert one window: pitch, words, adapter, decoder."""
        call = Call(priority=Priority.LIVE, mixed_precision=True)
        with engine._turn(call) as stages:
            pipeline = Pipeline(stages, preset("fast"), Reporter(("analyse", "convert")))
            vocal = pipeline.analyse(clip)
            pipeline.convert(vocal, voices[number % len(voices)].speaker, 12)

    def stream(number: int) -> tuple[list[float], int]:
        step_s, late = chosen.chunk_ms / 1000, 0
        due_s = time.perf_counter() + step_s * (number % 97) / 97  # streams do not begin together
        taken = []
        for _ in range(chosen.chunks):
            time.sleep(max(0.0, due_s - time.perf_counter()))
            chunk(number)
            done_s = time.perf_counter()
            taken.append(done_s - due_s)
            late += done_s > due_s + step_s
            due_s += step_s
        return taken, late

    def work() -> dict[str, Any]:
        chunk(0)
        with ThreadPoolExecutor(chosen.streams) as pool:
            found = list(pool.map(stream, range(chosen.streams)))
        return {
            "streams": chosen.streams,
            "chunk_ms": chosen.chunk_ms,
            "window_s": chosen.window_s,
            "underruns": sum(late for _, late in found),
            "chunks": chosen.streams * chosen.chunks,
            **percentiles_ms([each for taken, _ in found for each in taken]),
        }

    return work


def _peak(device: str) -> dict[str, int]:
    found = {"peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB}
    if device.startswith("cuda"):
        import torch

        found["peak_gpu_reserved_bytes"] = torch.cuda.max_memory_reserved(device)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
