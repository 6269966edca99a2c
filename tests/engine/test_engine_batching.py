"""The batcher alone: order, batches, waiting, cancelling, errors, memory."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch

from autovoice.engine import devices
from autovoice.engine.batching import (
    Batcher,
    Call,
    DeviceScheduler,
    FairQueue,
    Job,
    Priority,
    calling,
    current_call,
)
from autovoice.engine.batching import batcher as module
from autovoice.errors import Cancelled
from autovoice.nn.stage import NetworkStage, Smaller


def _double(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


def _job(item: int = 0, key: Any = "k", call: Call | None = None, cost: int = 0) -> Job:
    return Job(item, _double, lambda one: 2 * one, key, call or Call(), cost)


def _order(queue: FairQueue, most: int = 64, most_bytes: int = 1 << 40) -> list[list[int]]:
    """Empty a queue; return the items of each batch."""
    found = []
    while batch := queue.peek(lambda head: most, most_bytes):
        queue.take(batch)
        found.append([job.item for job in batch])
    assert len(queue) == 0
    return found


def _queue(*jobs: Job) -> FairQueue:
    queue = FairQueue()
    for job in jobs:
        queue.push(job)
    return queue


def test_jobs_of_one_key_go_together_whoever_sent_them() -> None:
    queue = _queue(_job(1, "a"), _job(2, "b"), _job(3, "a"), _job(4, "b"))
    assert _order(queue) == [[1, 3], [2, 4]]


def test_jobs_without_a_key_go_alone() -> None:
    assert _order(_queue(_job(1, None), _job(2, None))) == [[1], [2]]


def test_live_goes_before_batch_and_never_with_it() -> None:
    live = Call(Priority.LIVE)
    queue = _queue(_job(1), _job(2), _job(3, call=live), _job(4, call=Call(Priority.LIVE)))
    assert _order(queue) == [[3, 4], [1, 2]]


def test_requests_take_turns() -> None:
    song = Call()
    jobs = [_job(item, ("song", item), song) for item in range(5)]
    queue = _queue(*jobs, _job(10, "short"), _job(20, "other"))
    assert [batch[0] for batch in _order(queue)] == [0, 10, 20, 1, 2, 3, 4]


def test_a_batch_takes_one_job_of_each_request_before_a_second_of_any() -> None:
    song = Call()
    queue = _queue(*(_job(item, call=song) for item in range(4)), _job(10), _job(20))
    assert _order(queue, most=4)[0] == [0, 10, 20, 1]


@pytest.mark.parametrize(("waiting", "sizes"), [(1, [1]), (3, [2, 1]), (7, [4, 2, 1]), (8, [8])])
def test_batches_have_sizes_that_come_again(waiting: int, sizes: list[int]) -> None:
    assert [len(b) for b in _order(_queue(*map(_job, range(waiting))))] == sizes


def test_memory_bounds_a_batch_but_one_job_always_goes() -> None:
    queue = _queue(*(_job(item, cost=10) for item in range(4)), _job(9, "large", cost=100))
    assert _order(queue, most_bytes=25) == [[0, 1], [2, 3], [9]]


def test_what_nobody_waits_for_is_dropped() -> None:
    kept, dropped = _job(1), _job(2)
    queue = _queue(dropped, kept)
    assert queue.drop(lambda job: job is dropped) == [dropped]
    assert _order(queue) == [[1]]


class Held:
    """Holds a batcher's thread until it is let go, so that jobs pile up behind."""

    def __init__(self, batcher: Batcher) -> None:
        self.gone, self._begun = threading.Event(), threading.Event()
        self.job = Job(None, _double, self._wait)
        batcher.submit(self.job)
        assert self._begun.wait(5)

    def _wait(self, _item: None) -> None:
        self._begun.set()
        assert self.gone.wait(5)


def _piled(batcher: Batcher, jobs: list[Job]) -> list[Any]:
    """Queue jobs while the thread is held, let it go, return results or errors."""
    held = Held(batcher)
    for job in jobs:
        batcher.submit(job)
    held.gone.set()
    return [job.future.exception(5) or job.future.result() for job in jobs]


def test_everybody_gets_the_own_result() -> None:
    batcher = Batcher()
    assert _piled(batcher, [_job(item) for item in range(8)]) == [2 * item for item in range(8)]
    assert (batcher.tally.batches, batcher.tally.largest) == (2, 8)


def test_one_error_does_not_kill_the_others() -> None:
    def many(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return _double(items)

    batcher = Batcher()
    jobs = [Job(item, many, lambda item: many([item])[0], "k") for item in range(4)]
    results = _piled(batcher, jobs)
    assert results[:3] == [0, 2, 4]
    assert isinstance(results[3], ValueError)
    assert batcher.run(_job(5)) == 10


def test_too_few_results_are_found_out() -> None:
    jobs = [Job(item, lambda items: [1], lambda item: item, "k") for item in range(2)]
    assert _piled(Batcher(), jobs) == [0, 1]


def test_out_of_memory_halves_the_batch_and_remembers() -> None:
    sizes: list[int] = []

    def many(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return _double(items)

    released: list[bool] = []
    batcher = Batcher(out_of_memory=devices.out_of_memory, release=lambda: released.append(True))

    def jobs() -> list[Job]:
        return [Job(item, many, lambda item: 2 * item, "k") for item in range(8)]

    assert _piled(batcher, jobs()) == [2 * item for item in range(8)]
    assert sizes == [8, 4, 2, 2, 4, 2, 2]
    assert len(released) == 3
    sizes.clear()
    assert _piled(batcher, jobs()) == [2 * item for item in range(8)]
    assert sizes == [2, 2, 2, 2]


def test_a_device_that_breaks_while_it_is_cleared_fails_the_batch_and_no_more() -> None:
    def many(items: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory (simulated)")

    def release() -> None:
        raise RuntimeError("CUDA error: an illegal memory access")

    batcher = Batcher(out_of_memory=devices.out_of_memory, release=release)
    found = _piled(batcher, [Job(item, many, lambda item: item, "k") for item in range(2)])
    assert [str(each) for each in found] == ["CUDA error: an illegal memory access"] * 2
    assert batcher.run(_job(1)) == 2


def test_a_batch_that_did_not_fit_is_tried_again_later() -> None:
    now = [0.0]
    batcher = Batcher(clock=lambda: now[0])
    batcher._fits["k"] = (2, 10.0)
    assert batcher._most(_job()) == 2
    now[0] = 11.0
    assert batcher._most(_job()) == module.MAX_BATCH


def test_short_jobs_share_larger_passes_than_songs() -> None:
    batcher = Batcher()
    assert batcher._most(_job()) == module.MAX_BATCH
    assert batcher._most(_job(call=Call(priority=Priority.LIVE))) == module.MAX_SHORT
    assert batcher._most(replace(_job(), any_size=True)) == module.MAX_SHORT
    assert module.MAX_SHORT > module.MAX_BATCH


def test_cancelling_takes_a_waiting_job_out() -> None:
    batcher, stop = Batcher(), threading.Event()
    held = Held(batcher)
    ran: list[int] = []
    job = Job(1, _double, ran.append, call=Call(cancel=stop.is_set))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(batcher.run, job)
        stop.set()
        with pytest.raises(Cancelled, match="cancelled"):
            waiting.result(5)
    held.gone.set()
    assert batcher.run(_job(4)) == 8
    assert ran == []


def test_a_deadline_that_passed_drops_the_job() -> None:
    batcher = Batcher()
    late = _job(call=Call(deadline_s=time.monotonic() - 1))
    with pytest.raises(Cancelled, match="deadline"):
        batcher.run(late)
    assert batcher.run(_job(2, call=Call(deadline_s=time.monotonic() + 60))) == 4


def test_a_job_waits_for_others_only_while_others_could_come() -> None:
    batcher = Batcher(max_wait_ms=1_000)
    with batcher.open_call():
        begin_s = time.perf_counter()
        batcher.run(_job())
        alone_s = time.perf_counter() - begin_s
        with batcher.open_call():
            begin_s = time.perf_counter()
            batcher.run(_job())
            bounded_s = time.perf_counter() - begin_s
    assert alone_s < 0.9
    assert 0.95 < bounded_s < 30.0


def test_live_sound_does_not_wait_for_songs() -> None:
    batcher = Batcher(max_wait_ms=20_000)
    with batcher.open_call(), batcher.open_call(Priority.LIVE):
        begin_s = time.perf_counter()
        batcher.run(_job(call=Call(Priority.LIVE)))
        assert time.perf_counter() - begin_s < 15


def test_a_waiting_job_goes_as_soon_as_all_are_there() -> None:
    batcher = Batcher(max_wait_ms=20_000)
    with batcher.open_call(), batcher.open_call(), ThreadPoolExecutor(2) as pool:
        begin_s = time.perf_counter()
        assert sorted(pool.map(lambda item: batcher.run(_job(item)), (1, 2))) == [2, 4]
        assert time.perf_counter() - begin_s < 15
    assert batcher.tally.largest == 2


def test_the_thread_ends_when_idle_and_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.02)
    batcher = Batcher()
    assert batcher.run(_job(1)) == 2
    thread = batcher._thread
    if thread is not None:
        thread.join(5)
    assert batcher._thread is None
    assert batcher.run(_job(2)) == 4


def test_a_thread_that_is_stopped_ends_after_its_work() -> None:
    batcher = Batcher()
    held = Held(batcher)
    thread, last = batcher._thread, _job(3)
    batcher.submit(last)
    batcher.stop()
    held.gone.set()
    assert last.future.result(5) == 6
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()
    assert batcher.run(_job(2)) == 4


def test_the_thread_takes_its_device_first_and_goes_on_without() -> None:
    began: list[str] = []

    def begin() -> None:
        began.append(threading.current_thread().name)
        raise RuntimeError("no such device")

    assert Batcher("device", begin=begin).run(_job(1)) == 2
    assert began == ["device"]


def test_a_budget_that_cannot_be_told_stops_nobody() -> None:
    def broken() -> int:
        raise RuntimeError("driver")

    assert Batcher(budget_bytes=broken).run(_job(1)) == 2


class Adder(NetworkStage):
    """Adds one; may be full."""

    def __init__(self, fits: int = 64) -> None:
        super().__init__()
        self.fits, self.seen, self.halved = fits, [], 0  # type: ignore[var-annotated]

    def add(self, item: float, shrink: Callable[[], bool] | None = None) -> float:
        return self.batched(self._run, item, key="one", seconds=1.0, shrink=shrink)

    def _run(self, items: Sequence[float]) -> list[float]:
        self.seen.append((len(items), torch.is_inference_mode_enabled(), self.mixed_precision))
        if len(items) > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return [item + 1 for item in items]


def _scheduled(stage: NetworkStage, batcher: Batcher) -> None:
    stage.scheduler = DeviceScheduler(batcher, lambda name, seconds: round(100 * seconds))


def _together(batcher: Batcher, stage: Adder, count: int) -> list[float]:
    held = Held(batcher)
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(stage.add, float(item)) for item in range(count)]
        while len(batcher._queue) < count:
            time.sleep(0.001)
        held.gone.set()
        return [each.result(5) for each in asked]


def test_a_stage_shares_passes_through_its_scheduler() -> None:
    stage, batcher = Adder(), Batcher()
    assert stage.add(1.0) == 2.0
    _scheduled(stage, batcher)
    assert _together(batcher, stage, 4) == [1.0, 2.0, 3.0, 4.0]
    assert [size for size, *_ in stage.seen] == [1, 4]
    assert all(inference for _, inference, _ in stage.seen)


def test_the_budget_bounds_the_passes_of_a_stage() -> None:
    stage, batcher = Adder(), Batcher(budget_bytes=lambda: 250)
    _scheduled(stage, batcher)
    assert _together(batcher, stage, 4) == [1.0, 2.0, 3.0, 4.0]
    assert [size for size, *_ in stage.seen] == [2, 2]


def test_a_single_item_that_does_not_fit_falls_back_as_ever() -> None:
    stage, batcher = Adder(fits=0), Batcher(out_of_memory=devices.out_of_memory)
    _scheduled(stage, batcher)
    with pytest.raises(Exception, match="out of memory"):
        stage.add(1.0)
    with pytest.raises(Smaller):
        stage.add(1.0, shrink=lambda: True)


def test_work_inside_of_work_runs_at_once() -> None:
    stage, batcher = Adder(), Batcher()
    _scheduled(stage, batcher)
    assert stage.guarded(lambda: stage.add(1.0) + stage.guarded(lambda: 5.0)) == 7.0


def test_each_call_has_its_own_precision_whatever_ran_before() -> None:
    stage, batcher = Adder(), Batcher()
    stage.device = torch.device("meta")  # stands for a GPU, where precision matters
    stage._autocast = torch.no_grad  # type: ignore[method-assign]
    _scheduled(stage, batcher)
    for call in (Call(mixed_precision=True), Call(), Call(mixed_precision=True)):
        with calling(call):
            stage.add(0.0)
    stage.add(0.0)  # outside of any call it stays as it is
    assert [mixed for *_, mixed in stage.seen] == [True, False, True, True]
    stage.device = torch.device("cpu")
    with calling(Call(mixed_precision=True)):
        stage.add(0.0)
    assert stage.seen[-1][2] is False


def test_calls_are_nested_and_left_again() -> None:
    outer, inner = Call(), Call()
    with calling(outer):
        with calling(inner):
            assert current_call() is inner
        assert current_call() is outer
    assert current_call() is not outer


def test_a_third_of_a_kind_hurries_nobody() -> None:
    """Three alike are a batch of two and one more, which may still become a batch of four."""
    batcher = Batcher(max_wait_ms=20_000)
    jobs = [_job(number, key="same") for number in range(4)]
    with contextlib.ExitStack() as calls, ThreadPoolExecutor(4) as pool:
        for _ in jobs:
            calls.enter_context(batcher.open_call())
        waiting = []
        for job in jobs:
            waiting.append(pool.submit(batcher.run, job))
            time.sleep(0.05)
        assert [each.result() for each in waiting] == [0, 2, 4, 6]
    assert (batcher.tally.batches, batcher.tally.largest) == (1, 4)
