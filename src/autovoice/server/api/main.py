"""The API process."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from pathlib import Path
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from autovoice.server import child, logs
from autovoice.server.api.app import make_app
from autovoice.server.api.deadline import DeadlineProtocol, StreamProtocol
from autovoice.server.api.service import Service
from autovoice.server.database import Database
from autovoice.server.files import raise_file_limit
from autovoice.server.live.client import PipeStreamEngine
from autovoice.server.settings import Settings
from autovoice.server.tracing import tracing_of

log = structlog.get_logger(__name__)
# The last answers after the end was asked for; then open connections are closed.
LAST_S = 3
THREADS = 40
MOST_CONNECTIONS = 4096


class _Server(uvicorn.Server):
    """A server that drains at the first SIGTERM and ends at the second, or when time is up."""

    def __init__(self, config: uvicorn.Config, service: Service, grace_s: float) -> None:
        super().__init__(config)
        self._service, self._grace_s = service, grace_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Answer 503 to whatever is new; jobs can still be looked at and fetched."""
        if self._service.draining:
            super().handle_exit(sig, frame)
            return
        self._service.draining = True
        asyncio.get_running_loop().call_later(self._grace_s, self._end)

    def _end(self) -> None:
        self.should_exit = True


def main() -> int:
    """Serve until SIGTERM, or until the parent is gone; return the exit code."""
    orders = child.receive()
    settings = orders.settings
    logs.configure(settings.log_level, str(orders.extra["name"]))
    tracing = tracing_of(settings, str(orders.extra["name"]))
    service = Service(settings, Database(settings.url, busy_s=5.0), tracing=tracing)
    raise_file_limit()
    live = str(orders.extra.get("live", ""))
    engine = PipeStreamEngine(Path(live)) if live else None
    config = _config(settings, make_app(service, engine))
    listening = socket.socket(fileno=int(orders.extra["socket"]))
    server = _Server(config, service, settings.grace_s + 1.0)
    if "torch" in sys.modules:
        log.error("the API process imported torch, which it must not")
    # What is there now stays: looking through it for garbage would stop all requests for 0.1 s.
    gc.collect()
    gc.freeze()
    server.run(sockets=[listening])
    return 0


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=DeadlineProtocol.within(settings.header_s, settings.send_idle_s),
        ws=StreamProtocol.within(settings.send_idle_s),
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=LAST_S,
        limit_concurrency=MOST_CONNECTIONS,
        ws_max_size=1 << 20,
        ws_max_queue=32,
        ws_per_message_deflate=False,
    )
