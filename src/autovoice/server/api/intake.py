"""From an upload to a stored file, and from a request to a job."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from autovoice import io
from autovoice.errors import AutoVoiceError, InputError
from autovoice.server.api.errors import ApiError
from autovoice.server.api.receive import Form, Upload
from autovoice.server.api.service import Service
from autovoice.server.filetable import StoredFile, new_file
from autovoice.server.jobs import Job, NewJob

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


async def looked_at(service: Service, owner: str, upload: Upload) -> StoredFile:
    """Look at an upload, and return what may be entered of it; one that is refused is removed.

    Raises:
        UnsupportedAudio, InputError: it is not audio, or claims to be too long.
    """
    try:
        async with service.probing:
            seconds = await run_in_threadpool(_look, service, upload)
    except BaseException:
        await run_in_threadpool(service.store.remove, upload.received.path)
        raise
    return new_file(owner, upload.received, upload.name, seconds, service.clock())


async def store_upload(service: Service, owner: str, upload: Upload) -> StoredFile:
    """Look at an upload and enter it; one that is refused is removed.

    Raises:
        UnsupportedAudio, InputError: see ``looked_at``.
        DatabaseUnavailable: it could not be entered.
    """
    stored = await looked_at(service, owner, upload)
    try:
        await run_in_threadpool(service.files.add, stored)
    except BaseException:
        await run_in_threadpool(service.store.remove, stored.path)
        raise
    return stored


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


async def submit(
    service: Service, new: NewJob, received: Sequence[StoredFile] = ()
) -> tuple[Job, bool]:
    """Accept a job.

    Args:
        service: whose job it is.
        new: the job.
        received: files that came with the request. They are entered in the transaction of the job,
            and removed where there is none, or one that was accepted before.
    """
    new = replace(new, trace=service.tracing.current())
    job, is_new = await run_in_threadpool(_submitted, service, new, received)
    if is_new:
        service.capacity.added()
    return job, is_new


def _submitted(service: Service, new: NewJob, received: Sequence[StoredFile]) -> tuple[Job, bool]:
    """Submit, in one thread: a caller who goes away meanwhile leaves a whole job or no file."""
    is_new = False
    try:
        job, is_new = service.table.submit(new, service.limits, received)
        return job, is_new
    finally:
        if not is_new:
            for one in received:
                service.store.remove(one.path)
