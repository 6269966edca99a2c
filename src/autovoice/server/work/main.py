"""The worker process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

import structlog

from autovoice.server import child, logs
from autovoice.server.database import Database
from autovoice.server.files import FileStore
from autovoice.server.filetable import FileTable
from autovoice.server.jobs import JobTable
from autovoice.server.settings import Settings
from autovoice.server.tracing import tracing_of
from autovoice.server.work.flag import Flag
from autovoice.server.work.runner import Runner
from autovoice.server.work.worker import Worker

log = structlog.get_logger(__name__)
MakeRunner = Callable[[Settings, str, FileStore], Runner]


def main(make_runner: MakeRunner) -> int:
    """Work until SIGTERM, or until the parent is gone.

    Args:
        make_runner: ``(settings, device, store) -> Runner``.

    Returns:
        The exit code.
    """
    drain = Flag()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        drain.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = child.receive()
    settings, name = orders.settings, str(orders.extra["name"])
    logs.configure(settings.log_level, name)
    database, tracing = Database(settings.url), tracing_of(settings, name)
    store = FileStore(settings.data_dir)
    try:
        worker = Worker(
            name,
            JobTable(database, attempts=settings.attempts),
            FileTable(database),
            store,
            make_runner(settings, str(orders.extra["device"]), store),
            lease_s=settings.lease_s,
            drain=drain,
            jobs=settings.worker_jobs,
            tracing=tracing,
        )
        return worker.run()
    finally:
        database.close()
        tracing.close()
