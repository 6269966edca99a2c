"""``/api/v1/jobs``: look, follow, fetch, cancel, try again."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from autovoice.server.api import intake
from autovoice.server.api.auth import JOB_SCOPES, allowed
from autovoice.server.api.errors import ApiError
from autovoice.server.api.schemas import (
    MEDIA_TYPES,
    JobBody,
    answers,
    job_body,
    sounds,
)
from autovoice.server.api.service import Service, service_of
from autovoice.server.filetable import FileNotFound
from autovoice.server.jobs import Job, NewJob
from autovoice.server.jobs.records import SPEECH, SPOKEN_NOW
from autovoice.server.keys import Caller
from autovoice.server.names import shown_name, stem_of

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])
Maker = Annotated[Caller, Depends(allowed(*JOB_SCOPES))]
ALIVE_S = 15.0
# The page of a score card needs its own styles, scripts and sounds, all within the file.
CARD_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; media-src data:; sandbox allow-scripts"
)


@router.get("")
async def list_jobs(
    request: Request,
    caller: Maker,
    state: Literal["queued", "running", "done", "failed", "cancelled"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> dict[str, Any]:
    """List your jobs, the newest first; ``next`` is the cursor of the following page."""
    service = service_of(request)
    found = await run_in_threadpool(
        lambda: service.table.list(caller.id, state=state, limit=limit, before=_read(cursor))
    )
    following = _cursor(found[-1]) if len(found) == limit else None
    return {"jobs": [job_body(job).model_dump() for job in found], "next": following}


@router.get("/{job_id}", response_model=JobBody)
async def get_job(job_id: str, request: Request, caller: Maker) -> Response:
    """Tell how far a job is."""
    content = await service_of(request).looks.get(job_id, caller.id)
    return Response(content, media_type="application/json")


@router.delete("/{job_id}", response_model=JobBody)
async def delete_job(job_id: str, request: Request, caller: Maker) -> JSONResponse:
    """Cancel a job, within a chunk (202); or remove one that has finished, with its files (200)."""
    service = service_of(request)
    before = await _job(service, job_id, caller)
    if before.is_finished:
        job = await run_in_threadpool(service.table.forget, job_id, caller.id)
        await run_in_threadpool(service.store.remove, job.folder)
        return JSONResponse(job_body(job).model_dump(), 200)
    job = await run_in_threadpool(service.table.request_cancel, job_id, caller.id)
    return JSONResponse(job_body(job).model_dump(), 202)


@router.post("/{job_id}/retry", status_code=202, response_model=JobBody)
async def retry_job(job_id: str, request: Request, caller: Maker) -> JSONResponse:
    """Submit a job that failed or was cancelled once more, as a new job."""
    service = service_of(request)
    job = await _job(service, job_id, caller)
    if job.kind == SPOKEN_NOW:
        raise ApiError(409, "not_retryable", "nobody waits for this speech any more; ask again")
    if job.state not in {"failed", "cancelled"}:
        raise ApiError(
            409, "not_retryable", f"job {job.id} is {job.state}; only failed or cancelled ones are"
        )
    await run_in_threadpool(service.check_storage)
    kept = await run_in_threadpool(service.files.several, job.files)
    if len(kept) != len(job.files):
        raise FileNotFound("what this job was made from is no longer kept; submit it again")
    folder = service.store.new_job_folder()
    new = NewJob(job.owner, job.kind, job.request, job.files, folder, job.audio_s)
    made, _ = await intake.submit(service, new)
    return JSONResponse(job_body(made).model_dump(), 202)


@router.get(
    "/{job_id}/events",
    response_class=Response,
    responses=answers("the events", "text/event-stream"),
)
async def follow_job(job_id: str, request: Request, caller: Maker) -> StreamingResponse:
    """Follow a job by server-sent events: ``job`` at each change, ``end`` at the last."""
    service = service_of(request)
    job = await _job(service, job_id, caller)
    return StreamingResponse(_events(service, job), media_type="text/event-stream")


async def _events(service: Service, job: Job) -> AsyncIterator[str]:
    async with service.watcher.follow(job.id) as queue:
        yield _event("job", job)
        while not job.is_finished and not service.draining:
            try:
                newer = await asyncio.wait_for(queue.get(), ALIVE_S)
            except (TimeoutError, asyncio.TimeoutError):
                yield ": alive\n\n"
                continue
            if newer.version != job.version:
                job = newer
                yield _event("job", job)
    yield _event("end", job)


def _event(name: str, job: Job) -> str:
    data = json.dumps(job_body(job).model_dump(), ensure_ascii=True)
    return f"id: {job.version}\nevent: {name}\ndata: {data}\n\n"


@router.get("/{job_id}/result", response_class=Response, responses=sounds("the sound"))
async def get_result(job_id: str, request: Request, caller: Maker) -> FileResponse:
    """Fetch the cover, or the speech."""
    service = service_of(request)
    job = await _done(service, job_id, caller)
    return _file(service, job, "speech" if job.kind in {SPEECH, SPOKEN_NOW} else "cover")


@router.get("/{job_id}/stems/{name}", response_class=Response, responses=sounds("the stem"))
async def get_stem(
    job_id: str,
    name: Literal["vocals", "backing", "converted"],
    request: Request,
    caller: Maker,
) -> FileResponse:
    """Fetch a stem: the old vocal, everything else, or the new vocal."""
    service = service_of(request)
    return _file(service, await _done(service, job_id, caller), f"stems/{name}")


@router.get(
    "/{job_id}/report",
    response_model=None,
    responses=answers("the report", "application/json", "text/html"),
)
async def get_report(
    job_id: str,
    request: Request,
    caller: Maker,
    format: Literal["json", "html"] = "json",  # noqa: A002 - the word callers know
) -> FileResponse | JSONResponse:
    """Fetch how the result was judged; as ``html`` where the job asked for a card."""
    service = service_of(request)
    job = await _done(service, job_id, caller)
    if format == "html":
        return _file(service, job, "card")
    result = {key: value for key, value in (job.result or {}).items() if key != "files"}
    return JSONResponse(result)


async def _job(service: Service, job_id: str, caller: Caller) -> Job:
    return await run_in_threadpool(service.table.get, job_id, caller.id)


async def _done(service: Service, job_id: str, caller: Caller) -> Job:
    job = await _job(service, job_id, caller)
    if job.state == "done":
        return job
    if job.is_finished:
        told = (job.error or {}).get("message", "")
        raise ApiError(409, f"job_{job.state}", f"job {job.id} {job.state} {told}".strip())
    raise ApiError(409, "not_finished", f"job {job.id} is {job.state}", retry_s=2)


def _file(service: Service, job: Job, key: str) -> FileResponse:
    name = (job.result or {}).get("files", {}).get(key)
    if name is None:
        raise ApiError(404, "not_kept", f"job {job.id} has no {key}; ask for it when submitting")
    path: Path = service.store.path(f"{job.folder}/{name}")
    if not path.is_file():
        raise ApiError(410, "gone", "the file is no longer kept")
    suffix = path.suffix.removeprefix(".")
    stem = stem_of(shown_name(job.request.get("name"), "song"))
    shown = f"{stem}-{key.rpartition('/')[2]}.{suffix}"
    headers = {"Content-Security-Policy": CARD_POLICY} if suffix == "html" else None
    return FileResponse(
        path,
        media_type=MEDIA_TYPES.get(suffix, "application/octet-stream"),
        filename=shown,
        headers=headers,
        content_disposition_type="inline" if suffix == "html" else "attachment",
    )


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at!r} {job.id}".encode()).decode()


def _read(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    try:
        at, job_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        return float(at), job_id
    except (ValueError, UnicodeError):
        raise ApiError(422, "invalid_request", "cursor: expected one of a page before") from None
