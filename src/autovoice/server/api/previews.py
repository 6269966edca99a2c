"""How a voice sounds: a sentence that a worker speaks once, and that is kept from then on."""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool

from autovoice.server.api import texts
from autovoice.server.api.errors import ApiError
from autovoice.server.api.service import Service
from autovoice.server.jobs import Job
from autovoice.server.jobs.records import SPEECH
from autovoice.server.keys import Caller
from autovoice.voices.file import write_whole

SENTENCE = "Hello! This is how I sound when I read something to you."


async def preview_of(service: Service, caller: Caller, name: str) -> Path | Job:
    """Return where a preview is, or the job that makes it; the first who asks begins it.

    Args:
        service: whose voices they are.
        caller: who asks.
        name: of a voice that the caller may use.

    Raises:
        ApiError: 409 the job failed, so that the next who asks begins anew; 503 no room for a job.
    """
    voices = service.voices
    path = await run_in_threadpool(voices.heard, name, caller.id)
    if await run_in_threadpool(voices.has_preview, name, caller.id):
        return path
    changed_at = await run_in_threadpool(voices.changed_at, name, caller.id)
    # A space is in no key that callers may choose.
    key = f"voice preview {name} {changed_at:.6f}"
    job = await run_in_threadpool(service.table.known, caller.id, key)
    if job is None:
        service.refuse_if_draining()
        await service.capacity.check()
        asked = texts.parse_speech({"text": SENTENCE, "voice": name, "format": "wav"})
        return await texts.accept(service, caller, SPEECH, asked, key)
    if not job.is_finished:
        return job
    if job.state == "done" and await run_in_threadpool(_keep, service, job, path):
        return path
    await run_in_threadpool(service.table.forget, job.id, caller.id)
    await run_in_threadpool(service.store.remove, job.folder)
    why = (job.error or {}).get("message", "its sound is gone")
    raise ApiError(409, "job_failed", f"the preview of {name} {job.state}: {why}; ask again")


def _keep(service: Service, job: Job, path: Path) -> bool:
    name = (job.result or {}).get("files", {}).get("speech")
    try:
        content = service.store.path(f"{job.folder}/{name}").read_bytes()
    except FileNotFoundError:
        return False
    write_whole(path, content)
    return True
