"""Everything that routes use, in one place; made once per process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from fastapi import Request, WebSocket

from autovoice.server.api.capacity import Capacity
from autovoice.server.api.errors import ApiError
from autovoice.server.api.looks import Looks
from autovoice.server.api.metrics import Metrics
from autovoice.server.api.watch import Watcher
from autovoice.server.database import Database
from autovoice.server.files import FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable, Limits
from autovoice.server.keys import KeyRing
from autovoice.server.rates import Rates
from autovoice.server.settings import Settings
from autovoice.server.tracing import Tracing
from autovoice.server.voicebank import VoiceBank

# How long a figure that decides about capacity may be old.
FRESH_S = 2.0
PROBES_AT_ONCE = 2


@dataclass
class Service:
    """The service behind the routes.

    Args:
        settings: of the service.
        database: where jobs, files and keys are.
        clock: seconds since 1970.
        tracing: of this process.
    """

    settings: Settings
    database: Database
    clock: Callable[[], float] = time.time
    tracing: Tracing = field(default_factory=Tracing)
    draining: bool = False
    receiving_bytes: int = 0
    streams: int = 0
    table: JobTable = field(init=False)
    files: FileTable = field(init=False)
    store: FileStore = field(init=False)
    keys: KeyRing = field(init=False)
    voices: VoiceBank = field(init=False)
    rates: Rates = field(init=False)
    watcher: Watcher = field(init=False)
    metrics: Metrics = field(init=False)
    probing: asyncio.Semaphore = field(init=False)
    reader: ThreadPoolExecutor = field(init=False)
    looks: Looks = field(init=False)
    capacity: Capacity = field(init=False)
    needs_key: bool = field(init=False)
    _stored: tuple[float, int] = (-1e9, 0)

    def __post_init__(self) -> None:
        self.table = JobTable(self.database, clock=self.clock, attempts=self.settings.attempts)
        self.files = FileTable(self.database)
        self.store = FileStore(self.settings.data_dir)
        self.keys = KeyRing(self.database, self.clock)
        self.voices = VoiceBank.of(self.settings)
        self.rates = Rates(self.settings.quotas.requests_per_minute)
        self.watcher = Watcher(self.table)
        self.metrics = Metrics(self)
        # Short readings have a thread of their own: they never wait for those that receive songs.
        self.reader = ThreadPoolExecutor(1, "reader")
        self.looks = Looks(self.table, self.reader)
        self.capacity = Capacity(self.table.active, self.settings.max_queued, self.reader)
        self.needs_key = self.settings.needs_key
        self.probing = asyncio.Semaphore(PROBES_AT_ONCE)

    @property
    def limits(self) -> Limits:
        """What a submission must not exceed."""
        quotas = self.settings.quotas
        return Limits(
            active=self.settings.max_queued,
            own_active=quotas.concurrent_jobs,
            own_audio_s=quotas.audio_minutes_per_day * 60,
        )

    def refuse_if_draining(self) -> None:
        """Refuse work while the service ends.

        Raises:
            ApiError: 503 with the time to try again.
        """
        if self.draining:
            raise ApiError(
                503, "draining", "the service is about to end; try again", retry_s=10, close=True
            )

    def check_storage(self, coming_bytes: int = 0) -> None:
        """Refuse work that could not be kept, before any of it is received. Blocks on the disk.

        Raises:
            ApiError: 503 with the time to try again.
        """
        coming = coming_bytes + self.receiving_bytes
        if self.stored_bytes() + coming > self.settings.storage_bytes:
            raise ApiError(
                503, "storage_full", "the storage budget is used up", retry_s=60, close=True
            )
        if self.store.free_bytes() - coming < self.settings.free_bytes:
            raise ApiError(503, "storage_full", "the disk is full", retry_s=60, close=True)

    def stored_bytes(self) -> int:
        """Return the size of all files and results, at most 2 s old."""
        now = time.monotonic()
        if now - self._stored[0] > FRESH_S:
            self._stored = (now, self.files.bytes_used() + self.table.bytes_used())
        return self._stored[1]

    def close(self) -> None:
        """Close what is open."""
        self.reader.shutdown()
        self.database.close()
        self.tracing.close()


def service_of(request: Request) -> Service:
    """Return the service that a request is for."""
    found: Service = request.app.state.service
    return found


def service_of_socket(socket: WebSocket) -> Service:
    """Return the service that a WebSocket is for."""
    found: Service = socket.app.state.service
    return found
