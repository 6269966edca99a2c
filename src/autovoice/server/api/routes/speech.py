"""``/api/v1/synthesize``, and ``/v1/audio/speech`` as OpenAI's clients know it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from autovoice.server.api import intake, texts
from autovoice.server.api.auth import allowed
from autovoice.server.api.delivery import Delivery, SpokenResponse
from autovoice.server.api.receive import receive_json
from autovoice.server.api.schemas import MEDIA_TYPES, JobBody, job_body
from autovoice.server.api.service import Service, service_of
from autovoice.server.jobs.records import SPEECH, SPOKEN_NOW
from autovoice.server.keys import Caller

router = APIRouter(tags=["speech"])
Speak = Annotated[Caller, Depends(allowed("speak"))]
_SOUND = {"type": "string", "format": "binary"}
_SOUNDS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "the speech",
        "content": {
            MEDIA_TYPES[name]: {"schema": _SOUND} for name in ("mp3", "opus", "flac", "wav", "pcm")
        },
    },
    500: {"description": "the speech failed"},
}


def _json_body(model: type[texts.SpeechRequest | texts.OpenAiSpeech]) -> dict[str, Any]:
    schema = model.model_json_schema()
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/api/v1/synthesize",
    status_code=202,
    response_model=JobBody,
    openapi_extra=_json_body(texts.SpeechRequest),
)
async def synthesize(request: Request, caller: Speak) -> JSONResponse:
    """Accept a text to be spoken in a voice; the answer is a job to follow."""
    service = service_of(request)
    key = intake.idempotency_key(request)
    asked = texts.parse_speech(await _values(service, request))
    job = await texts.accept(service, caller, SPEECH, asked, key)
    headers = {"Location": f"/api/v1/jobs/{job.id}"}
    return JSONResponse(job_body(job).model_dump(), 202, headers)


@router.post(
    "/v1/audio/speech",
    response_class=SpokenResponse,
    responses=_SOUNDS,
    openapi_extra=_json_body(texts.OpenAiSpeech),
)
async def openai_speech(request: Request, caller: Speak) -> SpokenResponse:
    """Speak a text, and answer with the sound; pcm and wav come while they are made."""
    service, begun = service_of(request), time.perf_counter()
    asked = texts.parse_openai(await _values(service, request))
    job = await texts.accept(service, caller, SPOKEN_NOW, asked)
    return await Delivery(service, request, job, begun).response()


async def _values(service: Service, request: Request) -> dict[str, Any]:
    """Receive the body, unless there is no room for another job."""
    await run_in_threadpool(service.check_storage)
    return await receive_json(request, service, texts.most_bytes(service))
