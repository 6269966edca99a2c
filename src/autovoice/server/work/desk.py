"""The worker's end of a lease: a thread for heartbeats and progress, and reasons to stop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Literal

import structlog

from autovoice.server.database import DatabaseUnavailable
from autovoice.server.jobs import JobTable, Lease, News, Signal
from autovoice.server.jobs.records import SPOKEN_NOW
from autovoice.server.tracing import Tracing
from autovoice.server.work.flag import Flag

log = structlog.get_logger(__name__)
PROGRESS_S = 0.5
NO_TRACING = Tracing()
Reason = Literal["", "cancel", "lost", "drain"]


class LeaseDesk:
    """A desk over one lease; use it as a context manager while the job runs.

    Args:
        table: of jobs.
        lease: what is worked on.
        lease_s: how long the lease holds without a heartbeat.
        drain: set when the process was asked to end.
        tracing: gets a span of each stage, within the one that is open when the desk is made.
    """

    def __init__(
        self,
        table: JobTable,
        lease: Lease,
        lease_s: float,
        drain: Flag,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        # Kept, as stages may be told from threads that do not know of the span around the job.
        self._tracing, self._trace = tracing, tracing.current()
        self._stage_began = 0.0
        self._table, self._lease, self._lease_s, self._drain = table, lease, lease_s, drain
        self._signal: Signal = "held"
        self._over = threading.Event()
        self._kept_at = time.monotonic()
        self._told_at = -1e9
        self._stage = ""
        self._overall, self._is_news = 0.0, False
        self._stages: dict[str, float] = {}
        self._chunks: tuple[int, int | None] | None = None
        self._forward = False
        self._is_waited_for = lease.job.kind == SPOKEN_NOW
        # ``_lock`` is held for a moment, ``_telling`` while the database writes.
        self._lock, self._telling = threading.Lock(), threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> LeaseDesk:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self._stage_ends()

    @property
    def reason(self) -> Reason:
        """Why to stop; empty to go on."""
        if self._signal != "held":
            return self._signal
        return "drain" if self._drain.is_set() else ""

    def stopping(self) -> bool:
        """Tell whether to stop now."""
        return self.reason != ""

    def progress(self, stage: str, fraction: float, overall: float) -> None:
        """Note how far it is; the thread of the heartbeats writes it, twice a second at most.

        A stage takes milliseconds on a GPU, a row that is safe on the disk tens of them.
        """
        if stage != self._stage:
            self._stage_ends()
            self._stage_began = time.time()
        with self._lock:
            self._stage, self._stages[stage] = stage, fraction
            self._overall, self._is_news = overall, True

    @property
    def news(self) -> News:
        """How far the job is."""
        with self._lock:
            return News(self._stage, self._overall, dict(self._stages), self._chunks)

    def _stage_ends(self) -> None:
        if self._stage:
            self._tracing.past(self._stage, self._stage_began, self._trace)

    def checkpoint(self, done: int, total: int | None) -> None:
        """Note that chunks are safe, and hear whether to go on.

        They are on disk by now, and an attempt that begins anew finds them there. The row has to
        know at once of the first step forward of an attempt, as it forgives earlier ones, of what
        a caller waits to hear, and of others when nothing was written for half a second. The rest
        is written with the progress, and after the last chunk often with the end of the job.
        """
        with self._lock:
            self._chunks, self._is_news = (done, total), True
            is_first = not self._forward and done > self._lease.job.chunks_done
            is_due = is_first or time.monotonic() - self._told_at >= PROGRESS_S
        if self._is_waited_for or (is_due and done != total):
            self._forward = self._forward or is_first
            self.tell()
        else:
            with self._forgiving():
                self._heard(self._table.signal(self._lease))

    def _heard(self, signal: Signal) -> None:
        if self._signal != "lost":
            self._signal = signal

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """Go on when the database is away for a moment: the chunks themselves are on disk."""
        try:
            yield
        except DatabaseUnavailable as error:
            log.warning("progress was not written", job=self._lease.job.id, problem=str(error))

    def _beat(self) -> None:
        every_s = self._lease_s / 4
        beaten_at = time.monotonic()
        while not self._over.wait(min(PROGRESS_S, every_s)):
            self.tell()
            beaten_at = max(beaten_at, self._kept_at)
            if time.monotonic() - beaten_at >= every_s:
                beaten_at = time.monotonic()
                self._keep()

    def tell(self) -> None:
        """Write what is new, which keeps the lease as well."""
        with self._telling, self._forgiving():
            with self._lock:
                is_news, self._is_news = self._is_news, False
            if not is_news:
                return
            begun = time.monotonic()
            try:
                self._heard(self._table.report(self._lease, self.news, self._lease_s))
            except DatabaseUnavailable:
                self._is_news = True  # for the next time
                raise
            self._kept_at = self._told_at = begun

    def _keep(self) -> None:
        try:
            self._heard(self._table.heartbeat(self._lease, self._lease_s))
            self._kept_at = time.monotonic()
        except DatabaseUnavailable as error:
            log.warning("a heartbeat failed", job=self._lease.job.id, problem=str(error))
            if time.monotonic() - self._kept_at > self._lease_s:
                self._signal = "lost"  # by now another worker may have it
