"""Run everything before the first caller comes: alone, and as many together as may come at once.

The first call of a shape loads networks and kernels, the second captures graphs; each takes many
times what the third does, and on a GPU every size of batch is a shape of its own.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from autovoice.engine.batching import Batcher
from autovoice.engine.progress import Listener, Progress
from autovoice.errors import InputError
from autovoice.types import Audio

RATE_HZ = 44_100
PITCH_HZ = 180.0
LONGEST_S = 3_600.0
# How often each shape comes: what comes twice is captured.
TIMES = 2
# How long the batcher waits for all of a round; they come within milliseconds.
PATIENCE_MS = 5_000.0


def warm_up(
    convert: Callable[[Audio, Listener], object],
    batcher: Batcher,
    seconds: Sequence[float],
    most: Callable[[float], int],
) -> dict[str, float]:
    """Convert tones of some lengths, in every size of batch up to ``most``, the largest first.

    Args:
        convert: converts a song and says how far it is, from inside of its call; is called from as
            many threads as there are songs in a batch.
        batcher: where they meet.
        seconds: lengths of sound, over 0 each.
        most: songs of a length at once, at least 1.

    Returns:
        Seconds that each round took, by ``size x length``.

    Raises:
        InputError: a length makes no sense.
    """
    if not all(0 < each <= LONGEST_S for each in seconds):
        raise InputError(
            f"warm-up: found songs of {list(seconds)} s, expected more than 0 and at most "
            f"{LONGEST_S:g} s"
        )
    took: dict[str, float] = {}
    for length in seconds:
        song = tone(length)
        size = 1 << (min(most(length), batcher.max_batch).bit_length() - 1)
        while size:
            begin_s = time.perf_counter()
            with batcher.patient(PATIENCE_MS), ThreadPoolExecutor(size) as pool:
                for _ in range(TIMES):
                    _together(pool, size, lambda ready, song=song: convert(song, ready))  # type: ignore[misc]
            took[f"{size} x {length:g} s"] = round(time.perf_counter() - begin_s, 3)
            size //= 2
    settle()
    return took


def settle() -> None:
    """Leave all that is loaded by now out of Python's collections of garbage from now on.

    Networks are some 360,000 objects, which a full collection walks through in 0.2 s while every
    thread waits, about once in ten rounds of a hundred calls. Nothing is leaked but cycles of what
    was loaded, should it be let go of.
    """
    gc.collect()
    gc.freeze()


def _together(pool: ThreadPoolExecutor, size: int, convert: Callable[[Listener], object]) -> None:
    """Begin so many calls, and let none go on before all are open: then they share every pass."""
    all_in = threading.Barrier(size)

    def one() -> None:
        heard: list[Progress] = []

        def ready(told: Progress) -> None:
            heard.append(told)
            if len(heard) == 1:
                all_in.wait()

        try:
            convert(ready)
        except BaseException:
            all_in.abort()
            raise

    errors = [done.exception() for done in [pool.submit(one) for _ in range(size)]]
    # Those that waited for one that failed say nothing of their own.
    failed = [each for each in errors if each is not None]
    for error in sorted(failed, key=lambda each: isinstance(each, threading.BrokenBarrierError)):
        raise error


def tone(seconds: float) -> Audio:
    """Return a stereo sawtooth, which all stages take for a voice."""
    phase = np.arange(max(1, round(seconds * RATE_HZ))) * (PITCH_HZ / RATE_HZ)
    wave = (0.3 * (phase % 1.0) - 0.15).astype(np.float32)
    return Audio(np.stack([wave, wave]), RATE_HZ)
