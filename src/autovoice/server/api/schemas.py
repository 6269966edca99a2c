"""What requests may ask, and what answers look like."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from autovoice.config.options import Semitones
from autovoice.config.presets import PresetName
from autovoice.server.api.errors import ApiError
from autovoice.server.jobs import Job

AudioFormat = Literal["wav", "flac", "mp3", "ogg", "opus"]
MEDIA_TYPES: Mapping[str, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "pcm": "audio/pcm",
    "html": "text/html; charset=utf-8",
    "json": "application/json",
}


BINARY: Mapping[str, str] = {"type": "string", "format": "binary"}


def answers(words: str, *media_types: str) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of a route that answers with other than JSON."""
    binary = {"schema": dict(BINARY)}
    content = {
        name: {} if name in {"text/event-stream", "application/json"} else binary
        for name in dict.fromkeys(media_types)
    }
    return {200: {"description": words, "content": content}}


def sounds(words: str) -> dict[int | str, dict[str, Any]]:
    """Return the same of a route that answers with sound of any format."""
    return answers(words, *(MEDIA_TYPES[name] for name in ("wav", "flac", "mp3", "ogg")))


def _flag(value: object) -> object:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    return value


def _number(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value


Flag = Annotated[bool, Field(strict=True), BeforeValidator(_flag)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63, strict=True), BeforeValidator(_number)]


class SongRequest(BaseModel):
    """How to convert a song.

    Args:
        voice: a built-in voice or one of yours.
        semitones: shift of the melody, -24 to 24, or ``auto``.
        separate: take the vocals out of the mix first.
        stems: keep vocals, backing and the converted vocal too.
        format: of the cover.
        preset: ``fast``, ``balanced`` or ``best``.
        seed: of every random number.
        card: judge the result in full and keep the page.
        file_id: a file that was uploaded before, instead of one in the form.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: Annotated[str, Field(min_length=1, max_length=64)]
    semitones: Semitones = "auto"
    separate: Flag = True
    stems: Flag = False
    format: AudioFormat = "flac"
    preset: PresetName = "balanced"
    seed: Seed = 0
    card: Flag = False
    file_id: Annotated[str, Field(max_length=60)] | None = None


class VoiceRequest(BaseModel):
    """How to make a voice from recordings.

    Args:
        name: what to call it.
        consent: the statement by which the speaker agreed, in words.
        licence, description: kept in its record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    consent: Annotated[str, Field(min_length=10, max_length=2000)]
    licence: Annotated[str, Field(max_length=2000)] = ""
    description: Annotated[str, Field(max_length=2000)] = ""


Request_ = TypeVar("Request_", bound=BaseModel)


def parse(kind: type[Request_], values: Mapping[str, Any]) -> Request_:
    """Check what was asked.

    Raises:
        ApiError: 422, naming each field that is wrong.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        told = [
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        ]
        raise ApiError(422, "invalid_request", "; ".join(told)[:1000]) from None


def body_hash(route: str, request: Mapping[str, Any], contents: Sequence[str]) -> str:
    """Return a hash of all that makes one request differ from another.

    Args:
        route: which it came by.
        request: its options.
        contents: hashes or ids of its files.
    """
    text = json.dumps([route, dict(request), list(contents)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class ErrorBody(BaseModel):
    """What every refusal looks like."""

    code: str
    message: str
    request_id: str
    error: dict[str, Any] = {}


class JobBody(BaseModel):
    """A job as callers see it. Times are ISO 8601, UTC; ``progress`` is 0 to 1."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    created_at: str
    started_at: str | None
    finished_at: str | None
    attempt: int
    stage: str | None
    progress: float
    stages: dict[str, float]
    chunks_done: int
    chunks_total: int | None
    cancel_requested: bool
    request: dict[str, Any]
    audio_seconds: float
    error: dict[str, Any] | None
    result: dict[str, Any] | None
    links: dict[str, Any]


def job_body(job: Job) -> JobBody:
    """Return what callers see of a job; where its files lie is not told."""
    result = dict(job.result or {})
    files = result.pop("files", {})
    return JobBody(
        id=job.id,
        kind=job.kind,
        state=job.state,  # type: ignore[arg-type]
        created_at=iso(job.created_at) or "",
        started_at=iso(job.started_at),
        finished_at=iso(job.finished_at),
        attempt=job.attempt,
        stage=job.stage,
        progress=round(job.overall, 4),
        stages={name: round(value, 4) for name, value in job.progress.items()},
        chunks_done=job.chunks_done,
        chunks_total=job.chunks_total,
        cancel_requested=job.cancel_requested,
        request=dict(job.request),
        audio_seconds=round(job.audio_s, 3),
        error=None if job.error is None else dict(job.error),
        result=result if job.state == "done" else None,
        links=_links(job, files if job.state == "done" else {}),
    )


def _links(job: Job, files: Mapping[str, str]) -> dict[str, Any]:
    base = f"/api/v1/jobs/{job.id}"
    links: dict[str, Any] = {"self": base, "events": f"{base}/events"}
    if "cover" in files or "speech" in files:
        links["result"] = f"{base}/result"
    if job.state == "done":
        links["report"] = f"{base}/report"
    stems = [key.removeprefix("stems/") for key in files if key.startswith("stems/")]
    if stems:
        links["stems"] = {name: f"{base}/stems/{name}" for name in stems}
    return links


def iso(seconds: float | None) -> str | None:
    """Return a time in words of ISO 8601."""
    if seconds is None:
        return None
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
