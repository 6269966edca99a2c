"""The live process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from autovoice.server import child, logs
from autovoice.server.database import Database
from autovoice.server.files import raise_file_limit
from autovoice.server.jobs.batches import Batches
from autovoice.server.live.figures import Figures
from autovoice.server.live.host import LiveHost, LiveMaker
from autovoice.server.settings import Settings

log = structlog.get_logger(__name__)
MakeLive = Callable[[Settings, str], LiveMaker]


def main(make_live: MakeLive) -> int:
    """Serve live sessions until SIGTERM, or until the parent is gone; return the exit code.

    Args:
        make_live: ``(settings, device) -> LiveMaker``.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = child.receive()
    settings = orders.settings
    logs.configure(settings.log_level, str(orders.extra["name"]))
    raise_file_limit()
    maker = make_live(settings, str(orders.extra["device"]))
    begun = time.perf_counter()
    maker.load()
    log.info("models are loaded", seconds=round(time.perf_counter() - begun, 3))
    with contextlib.closing(Database(settings.url)) as database:
        figures = Figures(database, Batches(maker.batch_sizes, "live"))
        asyncio.run(_serve(maker, Path(str(orders.extra["live"])), settings.grace_s, figures))
    return 0


async def _serve(maker: LiveMaker, path: Path, grace_s: float, figures: Figures) -> None:
    host = LiveHost(maker, path, grace_s - 1.0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, host.drain)
    telling = asyncio.create_task(figures.run())
    await host.run()
    telling.cancel()
    await asyncio.to_thread(figures.write)
