"""Jobs that wait, and which of them go next: live first, then each request in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from autovoice.engine.batching.calls import Call, Priority


@dataclass(eq=False)
class Job:
    """One pass of one network over one item.

    Args:
        item: what goes in.
        many: runs several items of one key at once and returns as many results in their order; may
            fail, then the batch is taken apart.
        one: runs one item, with whatever help there is when memory runs out.
        key: jobs of equal keys may share a batch. Default: this job shares with none.
        call: the request that it belongs to.
        cost_bytes: memory that it needs while it runs.
        since_s: when it was queued.
        any_size: ``many`` takes any number of items. Default: sizes that come again.
    """

    item: Any
    many: Callable[[list[Any]], list[Any]]
    one: Callable[[Any], Any]
    key: Hashable | None = None
    call: Call = field(default_factory=Call)
    cost_bytes: int = 0
    since_s: float = 0.0
    any_size: bool = False
    future: Future[Any] = field(default_factory=Future)


Waiting = OrderedDict[Call, deque[Job]]


class FairQueue:
    """Waiting jobs, by priority and request; not thread-safe.

    Requests take turns: one that is served goes to the end of the line, so that a song of many
    pieces holds up a short request by one piece at most.
    """

    def __init__(self) -> None:
        self._waiting: dict[Priority, Waiting] = {each: OrderedDict() for each in Priority}

    def __len__(self) -> int:
        return sum(len(jobs) for line in self._waiting.values() for jobs in line.values())

    def requests(self, priority: Priority) -> int:
        """Return how many requests of a priority have something waiting."""
        return len(self._waiting[priority])

    def holds_other(self, head: Job) -> bool:
        """Tell whether a job waits that cannot share a batch with ``head``."""
        return any(job is not head and job.key != head.key for job in self._all())

    def push(self, job: Job) -> None:
        """Put a job at the end of its request's own line."""
        self._waiting[job.call.priority].setdefault(job.call, deque()).append(job)

    def drop(self, unwanted: Callable[[Job], bool]) -> list[Job]:
        """Take out all jobs that nobody waits for any more, and return them."""
        dropped = [job for job in self._all() if unwanted(job)]
        for job in dropped:
            self._remove(job)
        return dropped

    def peek(self, most_jobs: Callable[[Job], int], most_bytes: int) -> list[Job]:
        """Return what would go next, without taking it: a batch of one key, its head first.

        Args:
            most_jobs: how many jobs may share a batch with such a head.
            most_bytes: how much memory they may need together; one job always goes.
        """
        line = next((line for line in self._waiting.values() if line), None)
        if line is None:
            return []
        head = next(iter(line.values()))[0]
        most, batch, left = most_jobs(head), [head], most_bytes - head.cost_bytes
        for job in _mates(head, line):
            if len(batch) >= most or job.cost_bytes > left:
                break
            batch.append(job)
            left -= job.cost_bytes
        if head.any_size:
            return batch
        # Sizes that come again: a captured graph serves one size only.
        return batch[: 1 << (len(batch).bit_length() - 1)]

    def take(self, batch: list[Job]) -> None:
        """Take a batch out; its requests go to the end of the line."""
        for job in batch:
            self._remove(job)
        for job in batch:
            line = self._waiting[job.call.priority]
            if job.call in line:
                line.move_to_end(job.call)

    def _all(self) -> Iterator[Job]:
        for line in self._waiting.values():
            for jobs in line.values():
                yield from jobs

    def _remove(self, job: Job) -> None:
        line = self._waiting[job.call.priority]
        line[job.call].remove(job)
        if not line[job.call]:
            del line[job.call]


def _mates(head: Job, line: Waiting) -> Iterator[Job]:
    """Yield what may join ``head``: one job of each request, then a second one of each, ..."""
    if head.key is None:
        return
    alike = [[job for job in jobs if job.key == head.key] for jobs in line.values()]
    for row in zip_longest(*alike):
        yield from (job for job in row if job is not None and job is not head)
