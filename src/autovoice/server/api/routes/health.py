"""Health, version and metrics."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from autovoice import __version__
from autovoice.server.api.auth import allowed
from autovoice.server.api.readiness import all_ok, checks_of
from autovoice.server.api.schemas import answers
from autovoice.server.api.service import service_of
from autovoice.server.keys import Caller

router = APIRouter(tags=["service"])
Metrics = Annotated[Caller, Depends(allowed("metrics"))]


@router.get("/health/live")
@router.get("/v2/health/live", include_in_schema=False)
async def live() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "live"}


@router.get("/health/ready")
@router.get("/v2/health/ready", include_in_schema=False)
async def ready(request: Request) -> JSONResponse:
    """Tell whether work would be accepted and done: 200 or 503, and what is missing."""
    checks = await run_in_threadpool(checks_of, service_of(request))
    is_ready = all_ok(checks)
    status = "ready" if is_ready else "not ready"
    return JSONResponse({"status": status, "checks": checks}, 200 if is_ready else 503)


@router.get("/version")
async def version() -> dict[str, str]:
    """Tell the version of the program and of the API."""
    return {"version": __version__, "api": "v1"}


@router.get("/metrics", response_class=Response, responses=answers("all figures", "text/plain"))
async def metrics(request: Request, _caller: Metrics) -> Response:
    """Return all figures in Prometheus's text format."""
    text = await run_in_threadpool(service_of(request).metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
