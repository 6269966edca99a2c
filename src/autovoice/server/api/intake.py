"""From an upload to a stored file, and from a request to a job."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from autovoice import io
from autovoice.errors import AutoVoiceError, InputError
from autovoice.server.api.errors import ApiError
from autovoice.server.api.receive import Form, Upload
from autovoice.server.api.service import Service
from autovoice.server.database import DatabaseUnavailable
from autovoice.server.filetable import StoredFile
from autovoice.server.jobs import Job, NewJob

log = structlog.get_logger(__name__)
# Retention counts in hours at least: the time of the last use need not be finer than this.
TOUCH_S = 60.0
_KEY = re.compile(r"[\x21-\x7e]{1,190}\Z")


def idempotency_key(request: Request) -> str | None:
    """Return the key that the caller chose for this request.

    Raises:
        ApiError: 422, it is too long or holds strange characters.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.match(key):
        raise ApiError(
            422, "invalid_request", "Idempotency-Key: expected 1 to 190 visible ASCII characters"
        )
    return key


@contextlib.asynccontextmanager
async def kept(service: Service, form: Form) -> AsyncIterator[None]:
    """Remove all files of a form where it is refused for anything but them."""
    try:
        yield
    except BaseException:
        for upload in form.uploads:
            await run_in_threadpool(service.store.remove, upload.received.path)
        raise


async def store_upload(service: Service, owner: str, upload: Upload) -> StoredFile:
    """Look at an upload and enter it; one that is refused is removed.

    Raises:
        UnsupportedAudio, InputError: it is not audio, or claims to be too long.
        DatabaseUnavailable: it could not be entered.
    """
    try:
        async with service.probing:
            seconds = await run_in_threadpool(_look, service, upload)
        return await run_in_threadpool(
            service.files.add, owner, upload.received, upload.name, seconds, service.clock()
        )
    except BaseException:
        await run_in_threadpool(service.store.remove, upload.received.path)
        raise


def _look(service: Service, upload: Upload) -> float | None:
    if service.settings.engine == "fake":
        return None
    path = service.store.path(upload.received.path)
    try:
        info = io.probe(path)
    except AutoVoiceError as error:
        # The file lies under a random name; people know it by theirs.
        words = str(error).replace(str(path), upload.name).replace(path.name, upload.name)
        raise type(error)(words) from error
    most_s = service.settings.max_audio_s
    if (info.claimed_seconds or 0.0) > most_s:
        raise InputError(
            f"{upload.name}: found {info.claimed_seconds:.0f} s, expected at most {most_s:.0f} s"
        )
    return info.claimed_seconds


async def submit(service: Service, new: NewJob, files: Sequence[StoredFile]) -> tuple[Job, bool]:
    """Accept a job; the uploads of a request that was accepted before are removed again."""
    new = replace(new, trace=service.tracing.current())
    job, is_new = await run_in_threadpool(service.table.submit, new, service.limits)
    if is_new:
        service.capacity.added()
    now = service.clock()
    ids = [one.id for one in files if now - one.used_at > TOUCH_S]
    if is_new and ids:
        await run_in_threadpool(service.files.touch, ids, now)
    return job, is_new


async def discard(service: Service, files: Sequence[StoredFile]) -> None:
    """Remove stored files that no job came to need; with the database away, retention does."""
    for one in files:
        try:
            await run_in_threadpool(service.files.remove, one.id)
        except DatabaseUnavailable as error:
            log.warning("a file stays until its time is over", file=one.id, problem=str(error))
        else:
            await run_in_threadpool(service.store.remove, one.path)
