"""``/api/v1/voices``: list, make with consent, hear, pass on, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from autovoice.errors import InputError, VoiceError
from autovoice.server.api import intake
from autovoice.server.api.auth import allowed
from autovoice.server.api.errors import ApiError
from autovoice.server.api.previews import preview_of
from autovoice.server.api.receive import Form, receive_form
from autovoice.server.api.schemas import (
    JobBody,
    VoiceRequest,
    answers,
    body_hash,
    job_body,
    parse,
)
from autovoice.server.api.service import Service, service_of
from autovoice.server.jobs import NewJob
from autovoice.server.keys import Caller
from autovoice.voices import BUILTIN_VOICES, Voice, check_name, from_bytes, to_bytes

router = APIRouter(prefix="/api/v1/voices", tags=["voices"])
Voices = Annotated[Caller, Depends(allowed("voices"))]
MOST_RECORDINGS = 20
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "consent", "file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        },
                        **VoiceRequest.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}
_IMPORT = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["voice_file"],
                    "properties": {
                        "voice_file": {"type": "string", "format": "binary"},
                        "name": {"type": "string", "minLength": 1, "maxLength": 64},
                    },
                }
            }
        },
    }
}


@router.get("")
async def list_voices(request: Request, caller: Voices) -> dict[str, Any]:
    """List the voices that you may use."""
    service = service_of(request)
    builtin = [{"name": name, "description": text} for name, text in BUILTIN_VOICES.items()]
    stored, damaged = await run_in_threadpool(_stored, service, caller)
    return {"builtin": builtin, "stored": stored, "damaged": damaged}


@router.post("", status_code=202, response_model=JobBody, openapi_extra=_FORM)
async def create_voice(request: Request, caller: Voices) -> JSONResponse:
    """Accept recordings of one person who agreed; the job checks them and makes the voice."""
    service = service_of(request)
    key = intake.idempotency_key(request)
    form = await receive_form(request, service, most_files=MOST_RECORDINGS)
    asked = await _checked(service, caller, form)
    async with intake.kept(service, form):
        stored = [await intake.looked_at(service, caller.id, one) for one in form.uploads]
        request_ = asked.model_dump()
        contents = [one.sha256 for one in stored]
        new = NewJob(
            owner=caller.id,
            kind="voice.create",
            request={**request_, "files": [one.name for one in stored]},
            files=[one.id for one in stored],
            folder=service.store.new_job_folder(),
            audio_s=0.0,
            idempotency_key=key,
            body_hash=None if key is None else body_hash("voice.create", request_, contents),
        )
        job, _ = await intake.submit(service, new, stored)
    return JSONResponse(job_body(job).model_dump(), 202)


@router.post("/import", status_code=201, openapi_extra=_IMPORT)
async def import_voice(request: Request, caller: Voices) -> JSONResponse:
    """Keep a ``.voice`` file; form fields: ``voice_file``, and ``name`` to call it otherwise."""
    service = service_of(request)
    form = await receive_form(request, service)
    if len(form.uploads) != 1 or form.uploads[0].field != "voice_file":
        await run_in_threadpool(_drop, service, form)
        raise ApiError(422, "invalid_request", "voice_file: expected exactly one .voice file")
    voice = await run_in_threadpool(_import, service, caller, form)
    return JSONResponse(_body(voice, own=True), 201)


@router.get("/{name}")
async def get_voice(name: str, request: Request, caller: Voices) -> dict[str, Any]:
    """Tell the record of a voice."""
    service = service_of(request)
    voice = await run_in_threadpool(_find, service, name, caller)
    own = name in await run_in_threadpool(service.voices.own(caller.id).names)
    return _body(voice, own=own)


@router.get(
    "/{name}/export",
    response_class=Response,
    responses=answers("the voice", "application/octet-stream"),
)
async def export_voice(name: str, request: Request, caller: Voices) -> Response:
    """Fetch a voice as a ``.voice`` file."""
    voice = await run_in_threadpool(_find, service_of(request), name, caller)
    headers = {"Content-Disposition": f'attachment; filename="{voice.name}.voice"'}
    content = await run_in_threadpool(to_bytes, voice)
    return Response(content, media_type="application/octet-stream", headers=headers)


@router.get(
    "/{name}/preview",
    response_class=Response,
    responses={
        **answers("the sound", "audio/wav"),
        202: {"model": JobBody, "description": "it is being made, once; ask again"},
    },
)
async def preview_voice(name: str, request: Request, caller: Voices) -> Response:
    """Hear a voice for a few seconds; the first who asks has it made, and gets the job (202)."""
    service = service_of(request)
    await run_in_threadpool(_find, service, name, caller)
    found = await preview_of(service, caller, name)
    if isinstance(found, Path):
        return FileResponse(found, media_type="audio/wav", filename=f"{name}.wav")
    headers = {"Location": f"/api/v1/jobs/{found.id}", "Retry-After": "1"}
    return JSONResponse(job_body(found).model_dump(), 202, headers)


@router.delete("/{name}", status_code=204)
async def delete_voice(name: str, request: Request, caller: Voices) -> Response:
    """Delete a voice of yours for good."""
    service = service_of(request)
    await run_in_threadpool(_find, service, name, caller)
    try:
        await run_in_threadpool(service.voices.delete, name, caller.id)
    except VoiceError as error:
        raise ApiError(403, "not_your_voice", f"voice {name}: it is not yours") from error
    return Response(status_code=204)


async def _checked(service: Service, caller: Caller, form: Form) -> VoiceRequest:
    """Check a request before its recordings are looked at; else they are removed."""
    try:
        asked = parse(VoiceRequest, form.fields)
        if not form.uploads:
            raise ApiError(422, "invalid_request", "file: found none, expected recordings")
        try:
            await run_in_threadpool(service.voices.own(caller.id).check_free, asked.name)
        except VoiceError as error:
            taken = "exists" in str(error) or "built-in" in str(error)
            words = str(error).replace("replace it (--force)", "delete it first")
            raise ApiError(409 if taken else 422, "voice_name", words) from error
        return asked
    except BaseException:
        await run_in_threadpool(_drop, service, form)
        raise


def _drop(service: Service, form: Form) -> None:
    for upload in form.uploads:
        service.store.remove(upload.received.path)


def _import(service: Service, caller: Caller, form: Form) -> Voice:
    try:
        content = service.store.path(form.uploads[0].received.path).read_bytes()
    finally:
        _drop(service, form)
    voice = from_bytes(content)
    name = form.fields.get("name")
    voice = voice.renamed(voice.name if name is None else name)
    if not voice.header.consent:
        raise InputError("this voice records no consent; only voices that do are taken")
    try:
        service.voices.own(caller.id).save(voice)
    except VoiceError as error:
        raise ApiError(409, "voice_name", str(error)) from error
    return voice


def _find(service: Service, name: str, caller: Caller) -> Voice:
    try:
        return service.voices.find(check_name(name), caller.id)
    except VoiceError as error:
        raise ApiError(404, "voice_not_found", str(error)) from error


def _stored(service: Service, caller: Caller) -> tuple[list[dict[str, Any]], list[str]]:
    own = set(service.voices.own(caller.id).names())
    rows, damaged = [], []
    for name in service.voices.names(caller.id):
        try:
            rows.append(_body(service.voices.find(name, caller.id), own=name in own))
        except VoiceError:
            damaged.append(name)
    return rows, damaged


def _body(voice: Voice, *, own: bool) -> dict[str, Any]:
    header = voice.header.model_dump(mode="json", exclude={"training"})
    comfortable = voice.speaker.comfortable
    return {
        **header,
        "own": own,
        "trained": voice.header.training is not None,
        "comfortable_range": None if comfortable is None else comfortable.to_json(),
    }
