"""A thread that owns a device, and runs on it what many other threads ask for."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Any

from autovoice.engine.batching.calls import Priority
from autovoice.engine.batching.queue import FairQueue, Job
from autovoice.errors import Cancelled

log = logging.getLogger(__name__)
MAX_WAIT_MS = 2.0
# Beyond so many songs of a second a GPU does no more in a second, but keeps more memory for it: 5.1
# GB for 64, 2 GB for 16. Windows of live sound and sentences are short, and wait for the processor.
MAX_BATCH, MAX_SHORT = 16, 64
# A burst of calls whose passes may have any size is gathered as long as it goes on, up to so many
# times the usual wait; it is one while so many are on their way, and more than there are in line.
MOST_WAITS, LEAST_BURST = 4, 8
# No bound: what a batch needs is then found out by running it.
UNBOUNDED_BYTES = 1 << 62
# A thread without work ends, so that nothing has to be closed.
IDLE_S = 60.0
# A batch that did not fit is tried at its old size again after this.
FORGET_S = 60.0
# How often somebody who waits is asked whether the result is still wanted.
ASK_S = 0.05
# How long the end of the process waits for a batch that is being run.
END_S = 30.0
_ALL: weakref.WeakSet[Batcher] = weakref.WeakSet()


def never(_error: BaseException) -> bool:
    """Take no error for a lack of memory."""
    return False


@dataclass
class Tally:
    """What a batcher did so far.

    Args:
        batches, jobs: how many were run.
        largest: most jobs in a batch.
        split: batches that had to be taken apart.
        sizes: how many batches had each number of jobs.
    """

    batches: int = 0
    jobs: int = 0
    largest: int = 0
    split: int = 0
    sizes: dict[int, int] = field(default_factory=dict)


class Batcher:
    """Run jobs on one device: live before batch, requests in turn, alike jobs together.

    The thread begins with the first job and ends when it has had none for a while.

    Args:
        name: of the thread.
        max_wait_ms: longest that a job waits for others to share its batch; none while nobody else
            could send one.
        max_batch: most jobs in a batch; of live sound, and of what may have any size, ``MAX_SHORT``
            where that is more.
        budget_bytes: asked before each batch: how much memory its jobs may need together.
        out_of_memory: tells a lack of memory from other errors.
        release: called before a batch that did not fit is tried in halves.
        begin: called on the thread before its first batch.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        name: str = "autovoice",
        *,
        max_wait_ms: float = MAX_WAIT_MS,
        max_batch: int = MAX_BATCH,
        budget_bytes: Callable[[], int] = lambda: UNBOUNDED_BYTES,
        out_of_memory: Callable[[BaseException], bool] = never,
        release: Callable[[], None] = lambda: None,
        begin: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.max_wait_ms, self.max_batch = name, max_wait_ms, max_batch
        self.tally = Tally()
        self._budget_bytes, self._out_of_memory = budget_bytes, out_of_memory
        self._release, self._begin, self._clock = release, begin, clock
        self._stopped = False
        self._queue = FairQueue()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._calls = dict.fromkeys(Priority, 0)
        self._fits: dict[Hashable, tuple[int, float]] = {}
        _ALL.add(self)

    @property
    def on_its_thread(self) -> bool:
        """Whether the caller is the thread that owns the device."""
        return threading.current_thread() is self._thread

    @contextlib.contextmanager
    def open_call(self, priority: Priority = Priority.BATCH) -> Iterator[None]:
        """Count a call as one that may send jobs: only then is it worth to wait for others."""
        with self._changed:
            self._calls[priority] += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls[priority] -= 1
                if self._queue:  # else nothing waits for others to join it
                    self._changed.notify_all()

    @contextlib.contextmanager
    def patient(self, wait_ms: float) -> Iterator[None]:
        """Wait so long for calls that are open to join a batch, meanwhile."""
        with self._changed:
            usual, self.max_wait_ms = self.max_wait_ms, wait_ms
        try:
            yield
        finally:
            with self._changed:
                self.max_wait_ms = usual
                self._changed.notify_all()

    def stop(self) -> None:
        """Let the thread end once nothing waits, instead of after a while."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def end(self, wait_s: float = END_S) -> None:
        """Drop what waits, and wait for the batch that is being run.

        Python ends threads like this one in the middle of whatever they do when the process ends.
        Within PyTorch that aborts the process, after all its work was done.
        """
        with self._changed:
            self._stopped, thread = True, self._thread
            for job in self._queue.drop(lambda _job: True):
                job.future.cancel()
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(wait_s)

    def run(self, job: Job) -> Any:
        """Queue a job, wait for it and return its result.

        Raises:
            Cancelled: the caller's ``cancel`` said so, or its deadline passed, before it began.
            Exception: whatever the job raised.
        """
        self.submit(job)
        return self.result(job)

    def submit(self, job: Job) -> None:
        """Queue a job."""
        job.since_s = self._clock()
        with self._changed:
            self._queue.push(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def result(self, job: Job) -> Any:
        """Wait for a queued job and return its result; see ``run``."""
        cancel = job.call.cancel
        try:
            while True:
                try:
                    return job.future.result(timeout=None if cancel is None else ASK_S)
                except NotYet:
                    if job.future.done():
                        return job.future.result()
                if cancel is not None and cancel():
                    raise Cancelled("the conversion was cancelled")
        finally:
            # Also when the caller is interrupted: nobody waits for it any more.
            if job.future.cancel():
                with self._changed:
                    self._changed.notify_all()

    def _serve(self) -> None:
        """Run batches until there has been nothing to do for a while."""
        try:
            self._begin()
        except Exception:
            # The jobs will say the same, each to its own caller.
            log.exception("%s: the device cannot be taken", self.name)
        while (batch := self._next()) is not None:
            ready = [job for job in batch if job.future.set_running_or_notify_cancel()]
            self.tally.batches += 1
            self.tally.jobs += len(ready)
            self.tally.largest = max(self.tally.largest, len(ready))
            if ready:
                self.tally.sizes[len(ready)] = self.tally.sizes.get(len(ready), 0) + 1
                self._run_safely(ready)
            del batch, ready  # what went through may be large

    def _run_safely(self, jobs: list[Job]) -> None:
        """Run jobs; whatever breaks on the way reaches those who wait, never this thread."""
        try:
            self._run(jobs)
        except BaseException as error:
            log.exception("%s: a batch broke", self.name)
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)

    def _next(self) -> list[Job] | None:
        """Wait for a batch; None when the thread is to end."""
        with self._changed:
            idle_until_s = time.monotonic() + IDLE_S
            while True:
                self._drop()
                batch = self._queue.peek(self._most, self._budget())
                wait_s = self._worth_waiting_s(batch)
                if batch and wait_s <= 0:
                    self._queue.take(batch)
                    return batch
                if not batch:
                    wait_s = idle_until_s - time.monotonic()
                    if wait_s <= 0 or self._stopped:
                        self._thread = None
                        return None
                self._changed.wait(wait_s)

    def _budget(self) -> int:
        try:
            return self._budget_bytes()
        except Exception:
            # Without this thread everybody would wait for ever.
            log.exception("the memory for a batch cannot be told; going on without a bound")
            return UNBOUNDED_BYTES

    def _drop(self) -> None:
        """Drop what is not wanted any more, or comes too late."""
        now_s = self._clock()

        def late(job: Job) -> bool:
            return job.call.deadline_s is not None and job.call.deadline_s < now_s

        for job in self._queue.drop(lambda job: job.future.cancelled() or late(job)):
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(Cancelled("its deadline passed before its turn came"))

    def _most(self, head: Job) -> int:
        """Return how many jobs may go with such a head."""
        most = self.max_batch
        if head.call.priority is Priority.LIVE or head.any_size:
            most = max(most, MAX_SHORT)
        fits, until_s = self._fits.get(head.key, (most, 0.0))
        if until_s < self._clock():
            self._fits.pop(head.key, None)
            return most
        return fits

    def _worth_waiting_s(self, batch: list[Job]) -> float:
        """Return how long to wait for others that could join; 0 when none will."""
        if not batch or batch[0].key is None or len(batch) >= self._most(batch[0]):
            return 0.0
        # What is alike but beyond a power of two holds nobody up: it may fill the next one.
        head, priority = batch[0], batch[0].call.priority  # live sound does not wait for songs
        here = self._queue.requests(priority)
        missing = self._calls[priority] - here
        burst = head.any_size and priority is Priority.BATCH and missing >= max(LEAST_BURST, here)
        if missing <= 0 or (self._queue.holds_other(head) and not burst):
            return 0.0
        wait_s = self.max_wait_ms / 1000
        until_s = head.since_s + wait_s
        if burst:
            newest_s = max(job.since_s for job in batch)
            until_s = min(newest_s + wait_s, head.since_s + MOST_WAITS * wait_s)
        return until_s - self._clock()

    def _run(self, jobs: list[Job]) -> None:
        """Run jobs of one key and hand each its result or its own error."""
        if len(jobs) == 1:
            self._run_one(jobs[0])
            return
        try:
            results = jobs[0].many([job.item for job in jobs])
            if len(results) != len(jobs):
                raise RuntimeError(f"batch: found {len(results)} results, expected {len(jobs)}")
        except Exception as error:
            too_large = self._out_of_memory(error)
            log.log(
                logging.WARNING if too_large else logging.DEBUG,
                "a batch of %d is taken apart: %s",
                len(jobs),
                error,
            )
        else:
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)
            return
        # Outside of the handler, so that the failed try's tensors are let go of first.
        self.tally.split += 1
        if too_large:
            self._release()
            half = len(jobs) // 2
            self._fits[jobs[0].key] = (half, self._clock() + FORGET_S)
            self._run(jobs[:half])
            self._run(jobs[half:])
        else:
            for job in jobs:
                self._run_one(job)

    @staticmethod
    def _run_one(job: Job) -> None:
        try:
            result = job.one(job.item)
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


@atexit.register
def _end_all() -> None:
    """End every thread before Python does."""
    for batcher in list(_ALL):
        batcher.end()
