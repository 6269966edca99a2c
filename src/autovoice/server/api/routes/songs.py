"""``/api/v1/convert/song``, ``/api/v1/convert/batch`` and ``/api/v1/files``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from autovoice.errors import AutoVoiceError, VoiceError
from autovoice.server.api import intake
from autovoice.server.api.auth import allowed
from autovoice.server.api.errors import ApiError, as_api_error
from autovoice.server.api.receive import Form, Upload, receive_form, receive_json
from autovoice.server.api.schemas import JobBody, SongRequest, body_hash, job_body, parse
from autovoice.server.api.service import Service, service_of
from autovoice.server.filetable import StoredFile
from autovoice.server.jobs import Job, NewJob
from autovoice.server.keys import Caller

router = APIRouter(prefix="/api/v1", tags=["songs"])
MOST_BATCH = 50
MOST_JSON_BYTES = 64 << 10
Convert = Annotated[Caller, Depends(allowed("convert"))]
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["voice"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **SongRequest.model_json_schema()["properties"],
                    },
                }
            },
            "application/json": {"schema": SongRequest.model_json_schema()},
        },
    }
}


@router.post("/convert/song", status_code=202, response_model=JobBody, openapi_extra=_FORM)
async def convert_song(request: Request, caller: Convert) -> JSONResponse:
    """Accept a song to be sung in another voice; the answer is a job to follow."""
    service = service_of(request)
    key = intake.idempotency_key(request)
    if _is_json(request):
        await run_in_threadpool(service.check_storage)
        values, uploads = await receive_json(request, service, MOST_JSON_BYTES), []
    else:
        form = await receive_form(request, service)
        values, uploads = form.fields, form.uploads
    asked, stored, is_own = await _song(service, caller, values, uploads)
    job = await _accept(service, caller, asked, stored, key, is_own=is_own)
    return _accepted(job)


@router.post("/convert/batch", status_code=202, openapi_extra=_FORM)
async def convert_batch(request: Request, caller: Convert) -> JSONResponse:
    """Accept many songs with the same options; one that is refused does not stop the others."""
    service = service_of(request)
    key = intake.idempotency_key(request)
    form = await receive_form(request, service, most_files=MOST_BATCH)
    if not form.uploads:
        raise ApiError(422, "invalid_request", "file: found none, expected at least one")
    async with intake.kept(service, form):
        asked = parse(SongRequest, form.fields)
        await _check_voice(service, caller, asked)
    jobs, failed = [], []
    for index, upload in enumerate(form.uploads):
        own_key = None if key is None else f"{key}/{index}"
        try:
            stored = await intake.looked_at(service, caller.id, upload)
            job = await _accept(service, caller, asked, stored, own_key, is_own=True)
            jobs.append(job_body(job).model_dump())
        except AutoVoiceError as error:
            told = as_api_error(error)
            failed.append({"file": upload.name, "code": told.code, "message": told.message})
    return JSONResponse({"jobs": jobs, "failed": failed}, 202)


@router.post("/files", status_code=201, openapi_extra=_FORM)
async def upload_file(request: Request, caller: Convert) -> JSONResponse:
    """Store a song, to be converted later or often."""
    service = service_of(request)
    form = await receive_form(request, service)
    async with intake.kept(service, form):
        upload = _one(form)
    stored = await intake.store_upload(service, caller.id, upload)
    return JSONResponse(_file_body(stored), 201)


@router.get("/files/{file_id}")
async def get_file(file_id: str, request: Request, caller: Convert) -> dict[str, Any]:
    """Tell what is known of a stored song."""
    service = service_of(request)
    return _file_body(await run_in_threadpool(service.files.get, file_id, caller.id))


def _file_body(stored: StoredFile) -> dict[str, Any]:
    return {
        "id": stored.id,
        "name": stored.name,
        "bytes": stored.bytes,
        "sha256": stored.sha256,
        "seconds": stored.seconds,
    }


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"


def _one(form: Form) -> Upload:
    if len(form.uploads) != 1 or form.uploads[0].field != "file":
        raise ApiError(422, "invalid_request", "file: expected exactly one file of this name")
    return form.uploads[0]


async def _song(
    service: Service, caller: Caller, values: Mapping[str, Any], uploads: list[Upload]
) -> tuple[SongRequest, StoredFile, bool]:
    """Return what is asked, the song, and whether the song came with this request."""
    try:
        asked = parse(SongRequest, values)
        await _check_voice(service, caller, asked)
        if (asked.file_id is not None) == bool(uploads):
            raise ApiError(422, "invalid_request", "expected either a file or a file_id")
    except BaseException:
        for upload in uploads:
            await run_in_threadpool(service.store.remove, upload.received.path)
        raise
    if asked.file_id is not None:
        stored = await run_in_threadpool(service.files.get, asked.file_id, caller.id)
        return asked, stored, False
    return asked, await intake.looked_at(service, caller.id, uploads[0]), True


async def _check_voice(service: Service, caller: Caller, asked: SongRequest) -> None:
    if service.settings.engine == "fake":
        return
    if not await run_in_threadpool(service.voices.has, asked.voice, caller.id):
        raise VoiceError(
            f"voice {asked.voice!r}: no such voice; GET /api/v1/voices lists those that you may use"
        )


async def _accept(
    service: Service,
    caller: Caller,
    asked: SongRequest,
    stored: StoredFile,
    key: str | None,
    *,
    is_own: bool,
) -> Job:
    """Submit; ``is_own``: the song came with this request."""
    request = asked.model_dump(exclude={"file_id"})
    contents = [stored.sha256]
    new = NewJob(
        owner=caller.id,
        kind="convert.song",
        request={**request, "name": stored.name},
        files=[stored.id],
        folder=service.store.new_job_folder(),
        audio_s=stored.seconds or 0.0,
        idempotency_key=key,
        body_hash=None if key is None else body_hash("convert.song", request, contents),
    )
    job, _ = await intake.submit(service, new, [stored] if is_own else ())
    return job


def _accepted(job: Job) -> JSONResponse:
    headers = {"Location": f"/api/v1/jobs/{job.id}"}
    return JSONResponse(job_body(job).model_dump(), 202, headers)
