"""Many texts at the same moment: how many passes their networks make of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from standins import builders, voice

from autovoice.engine import Engine
from autovoice.engine.batching import Batcher, Call, FairQueue, Job, Priority
from autovoice.nn.stage import NetworkStage
from autovoice.types import Audio

CALLS = 64
# Longer than all threads of a busy machine take to come.
PASS_S = 0.4


class Slow(NetworkStage):
    """A network whose passes take the same time, whatever is in them, and any number of items."""

    fills_up = True

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def features(self, utterance: Any, _speaker: Any, *, speed: float) -> Any:
        return self.batched(self._run, (utterance.text, speed), key="all", seconds=1.0)

    def synthesise(self, features: Any, _speaker: Any, _manner: Any = None, *, seed: int) -> Audio:
        text, _ = self.batched(self._run, features, key=seed, seconds=1.0)
        level = 0.05 + 0.001 * int(text.split()[1])
        return Audio(np.full((1, 2_400), level, np.float32), 24_000)

    def _run(self, items: Sequence[Any]) -> list[Any]:
        self.sizes.append(len(items))
        time.sleep(PASS_S)
        return list(items)


def test_calls_at_the_same_moment_share_their_passes(tmp_path: Path) -> None:
    front, vocoder = Slow(), Slow()
    made = builders(speech=lambda _device: front, speech_vocoder=lambda _device: vocoder)
    engine = Engine("cpu", data_dir=tmp_path, builders=made)
    who = voice()
    engine.speak("word 0", who)
    front.sizes.clear()
    vocoder.sizes.clear()
    begin = threading.Barrier(CALLS)

    def one(number: int) -> float:
        begin.wait()
        return float(np.abs(engine.speak(f"word {number}", who).samples).max())

    with ThreadPoolExecutor(CALLS) as pool:
        levels = list(pool.map(one, range(CALLS)))
    np.testing.assert_allclose(levels, 1.6 * (0.05 + 0.001 * np.arange(CALLS)), rtol=1e-3)
    assert sum(front.sizes) == sum(vocoder.sizes) == CALLS
    # The first of a kind goes with those that came by then, all others in one or two passes more.
    assert len(front.sizes) <= 3
    assert len(vocoder.sizes) <= 4


def _job(item: int, *, any_size: bool = True, call: Call | None = None) -> Job:
    return Job(item, list, lambda one: one, "k", call or Call(), any_size=any_size)


def test_what_fills_itself_up_goes_as_a_whole() -> None:
    for any_size, expected in ((True, 7), (False, 4)):
        queue = FairQueue()
        for item in range(7):
            queue.push(_job(item, any_size=any_size))
        assert len(queue.peek(lambda _head: 64, 1 << 40)) == expected


class Hand:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _wait_s(waiting: Sequence[Job], calls: int, priority: Priority = Priority.BATCH) -> float:
    """Return how long a batcher would wait now, with so many calls open."""
    batcher = Batcher(max_wait_ms=2.0, clock=Hand())
    batcher._calls[priority] = calls
    for job in waiting:
        batcher._queue.push(job)
    alike = [job for job in waiting if job.key == waiting[0].key]
    return batcher._worth_waiting_s(alike)


def _since(job: Job, since_s: float) -> Job:
    job.since_s = since_s
    return job


def test_a_burst_is_gathered_as_long_as_it_goes_on() -> None:
    first, later = _since(_job(1), 99.997), _since(_job(2), 99.9995)
    assert abs(_wait_s([first, later], calls=20) - 0.0015) < 1e-6
    # Not beyond four waits, though more come; and not for a few.
    assert _wait_s([_since(_job(1), 99.99), later], calls=20) < 0
    assert _wait_s([first, later], calls=4) < 0
    # Passes of sizes that come again wait as ever.
    assert _wait_s([_since(_job(1, any_size=False), 99.997), later], calls=20) < 0


def test_other_work_waits_for_a_burst_only() -> None:
    head, other = _since(_job(1), 100.0), _since(_job(2), 100.0)
    other.key = "another"
    assert _wait_s([head, other], calls=20) > 0
    assert _wait_s([head, other], calls=5) == 0.0
    crowd = [_since(_job(item), 100.0) for item in range(12)]
    assert _wait_s([head, other, *crowd], calls=20) == 0.0


def test_live_sound_is_never_gathered_longer() -> None:
    live = [_since(_job(item, call=Call(Priority.LIVE)), 99.999) for item in range(2)]
    live[1].since_s = 100.0
    assert abs(_wait_s(live, calls=20, priority=Priority.LIVE) - 0.001) < 1e-6
