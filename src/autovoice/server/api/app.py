"""Put the routes together."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from autovoice import __version__
from autovoice.server import janitor
from autovoice.server.api import errors, stream
from autovoice.server.api.front import Front
from autovoice.server.api.guard import Guard
from autovoice.server.api.routes import health, jobs, songs, speech, voices
from autovoice.server.api.schemas import ErrorBody
from autovoice.server.api.service import Service
from autovoice.server.api.stream_engine import StreamEngine
from autovoice.server.api.watch import to_its_end
from autovoice.server.orphans import remove_orphans

log = structlog.get_logger(__name__)
SWEEP_S, ORPHANS_S = 60.0, 3600.0
# Between the last byte of an upload and its row: many may wait to be looked at.
PROBING_S = 3600.0
REFUSALS = {
    400: "damaged request",
    401: "no valid key",
    403: "not allowed",
    404: "not found",
    409: "not now",
    413: "too large",
    415: "not audio",
    422: "not understood",
    429: "over a limit of yours; wait as Retry-After says",
    503: "over a limit of the service; wait as Retry-After says",
}


def make_app(service: Service, engine: StreamEngine | None = None) -> ASGIApp:
    """Return the application.

    Args:
        service: what the routes use; closed when the application ends.
        engine: for live sessions; None where there is none.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(service.watcher.run()), asyncio.create_task(_sweep(service))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            service.close()

    app = FastAPI(
        title="AutoVoice",
        version=__version__,
        description="Singing voice conversion as a service. Every error is an `ErrorBody`.",
        lifespan=lifespan,
        docs_url=None,  # those pages load scripts from other hosts
        redoc_url=None,
        responses={
            code: {"model": ErrorBody, "description": words} for code, words in REFUSALS.items()
        },
    )
    app.state.service = service
    app.state.stream_engine = engine
    for router in (
        songs.router, jobs.router, voices.router, speech.router, health.router, stream.router,
    ):  # fmt: skip
        app.include_router(router)
    errors.install(app)
    # Around the framework rather than within, as its own layers cost more than the front itself.
    surrounded: ASGIApp = Front(app, service)
    if service.settings.allowed_origins:
        surrounded = CORSMiddleware(
            surrounded,
            allow_origins=list(service.settings.allowed_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After", "Location"],
        )
    return Guard(surrounded, service.settings, service.metrics.told, service.tracing)


async def _sweep(service: Service) -> None:
    """Remove what has had its time, at the start and every minute; orphans once an hour."""
    settings = service.settings
    where = (service.table, service.files, service.store)
    orphan_s = max(settings.orphan_s, settings.receive_s + PROBING_S)
    orphans_at = -1e9

    def once() -> None:
        nonlocal orphans_at
        janitor.sweep(*where, retention_s=settings.retention_s, receive_s=settings.receive_s)
        if time.monotonic() - orphans_at > ORPHANS_S:
            remove_orphans(*where, orphan_s)
            orphans_at = time.monotonic()

    while True:
        try:
            await to_its_end(once)
        except Exception as error:  # a sweep that failed is tried again, whatever it was
            log.warning("sweeping failed", problem=str(error))
        await asyncio.sleep(SWEEP_S)
