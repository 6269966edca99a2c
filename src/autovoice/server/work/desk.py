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
from autovoice.server.jobs import JobTable, Lease, Signal
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
        self._stage = ""
        self._overall, self._is_news = 0.0, False
        self._stages: dict[str, float] = {}
        self._lock = threading.Lock()
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
    def stages(self) -> dict[str, float]:
        """How far each stage is, 0 to 1."""
        with self._lock:
            return dict(self._stages)

    def _stage_ends(self) -> None:
        if self._stage:
            self._tracing.past(self._stage, self._stage_began, self._trace)

    def checkpoint(self, done: int, total: int | None) -> None:
        """Note that chunks are safe."""
        with self._forgiving():
            self._heard(self._table.checkpoint(self._lease, done, total))

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
            self._tell()
            if time.monotonic() - beaten_at >= every_s:
                beaten_at = time.monotonic()
                self._keep()

    def _tell(self) -> None:
        with self._lock:
            is_news, self._is_news = self._is_news, False
            stage, overall, stages = self._stage, self._overall, dict(self._stages)
        if is_news:
            with self._forgiving():
                self._heard(self._table.report(self._lease, stage, overall, stages))

    def _keep(self) -> None:
        try:
            self._heard(self._table.heartbeat(self._lease, self._lease_s))
            self._kept_at = time.monotonic()
        except DatabaseUnavailable as error:
            log.warning("a heartbeat failed", job=self._lease.job.id, problem=str(error))
            if time.monotonic() - self._kept_at > self._lease_s:
                self._signal = "lost"  # by now another worker may have it
