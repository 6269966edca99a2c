"""The answer of ``/v1/audio/speech``: follow the job, and send its sound while it is made.

Nothing is sent before the first piece is there, so that whatever is wrong by then has its status.
What breaks later ends the connection without the last chunk: a client cannot take it for whole.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from autovoice.server.api.errors import LATER_S, ApiError
from autovoice.server.api.schemas import MEDIA_TYPES
from autovoice.server.api.service import Service
from autovoice.server.jobs import Job, JobNotFound
from autovoice.server.jobs.records import DONE, QUEUED
from autovoice.server.sound import STREAMED, read_piece, wav_head

LOOK_S = 1.0
BLOCK_BYTES = 64 << 10
# How the end of a job reads as an answer: status, and seconds after which to try again.
FAILURES: Mapping[str, tuple[int, float | None]] = {
    "input_error": (422, None),
    "voice_error": (422, None),
    "job_cancelled": (409, None),
    "out_of_resources": (503, LATER_S),
    "weights_missing": (503, LATER_S),
    "worker_lost": (503, LATER_S),
    "device_lost": (503, LATER_S),
}


class SpokenResponse(StreamingResponse):
    """Sound, and what is to be done when the last of it was sent or the client went away."""

    delivery: Delivery

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.delivery.end()


@dataclass
class Delivery:
    """One caller who waits for one job.

    Args:
        service: whose job it is.
        request: the caller's.
        job: of the kind ``speech.stream``.
        begun: when the request came, by ``time.perf_counter``.
    """

    service: Service
    request: Request
    job: Job
    begun: float
    _is_sending: bool = False
    _blocks: AsyncGenerator[bytes, None] | None = None

    async def response(self) -> SpokenResponse:
        """Return the answer once its first sound is there.

        Raises:
            ApiError: nobody took the job in time, or it failed; the job was cancelled.
        """
        wanted = str(self.job.request["format"])
        self._blocks = self._pieces(wanted) if wanted in STREAMED else self._file()
        try:
            first = await anext(self._blocks)
        except BaseException:
            await self.end()
            raise
        self._is_sending = True
        self.service.metrics.first_speech.observe(time.perf_counter() - self.begun)
        made = SpokenResponse(_chained(first, self._blocks), media_type=MEDIA_TYPES[wanted])
        made.delivery = self
        return made

    async def end(self) -> None:
        """Stop the work if nobody hears it any more; of speech that was heard nothing is kept."""
        with anyio.CancelScope(shield=True):
            if self._blocks is not None:
                await self._blocks.aclose()
            await run_in_threadpool(self._end)

    def _end(self) -> None:
        table, store = self.service.table, self.service.store
        try:
            job = table.request_cancel(self.job.id)
            if job.state != DONE:
                return  # why it ended can be looked up for as long as other jobs
            table.forget(job.id)
        except JobNotFound:
            return  # the caller has deleted it meanwhile
        store.remove(job.folder)
        for one in self.service.files.several(job.files):
            self.service.files.remove(one.id)
            store.remove(one.path)

    async def _pieces(self, wanted: str) -> AsyncGenerator[bytes, None]:
        """Yield sound piece by piece."""
        folder, sent = self._folder / "pieces", 0
        async with contextlib.aclosing(self._states()) as states:
            async for job in states:
                safe = int((job.result or {}).get("pieces", job.chunks_done))
                for index in range(sent, safe):
                    sound = await run_in_threadpool(read_piece, folder, index)
                    yield wav_head() + sound if index == 0 and wanted == "wav" else sound
                sent = max(sent, safe)

    async def _file(self) -> AsyncGenerator[bytes, None]:
        """Yield the file, once it is whole."""
        result: Mapping[str, Any] = {}
        async with contextlib.aclosing(self._states()) as states:
            async for job in states:
                result = job.result or {}
        path = self._folder / str(result["files"]["speech"])
        async with await anyio.open_file(path, "rb") as file:
            while block := await file.read(BLOCK_BYTES):
                yield block

    @property
    def _folder(self) -> Path:
        return self.service.store.path(self.job.folder)

    async def _states(self) -> AsyncGenerator[Job, None]:
        """Yield each state of the job until it is done.

        Raises:
            ApiError: it will not be done, or not soon.
        """
        service, job = self.service, self.job
        async with service.watcher.follow(job.id) as queue:
            while job.state != DONE:
                await self._check(job)
                with anyio.move_on_after(LOOK_S) as waited:
                    job = await queue.get()
                if waited.cancelled_caught:
                    job = await run_in_threadpool(service.table.get, job.id)
                if job.is_finished and job.state != DONE:
                    raise _failure(job)
                yield job

    async def _check(self, job: Job) -> None:
        service = self.service
        if service.draining:
            raise ApiError(503, "draining", "the service is about to end; try again", retry_s=10)
        if not self._is_sending and await self.request.is_disconnected():
            raise ApiError(400, "disconnected", "the client went away", close=True)
        waited_s = time.perf_counter() - self.begun
        if job.state == QUEUED and not job.attempt and waited_s > service.settings.speech_wait_s:
            raise ApiError(
                503, "busy", f"no worker was free for {waited_s:.0f} s; try again later, or submit "
                "the text to /api/v1/synthesize, which waits", retry_s=LATER_S,
            )  # fmt: skip


async def _chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block


def _failure(job: Job) -> ApiError:
    told = dict(job.error or {}) if job.state != "cancelled" else {}
    code = str(told.get("code", "job_cancelled" if job.state == "cancelled" else "internal"))
    status, retry_s = FAILURES.get(code, (500, None))
    message = str(told.get("message", f"job {job.id} was cancelled"))
    return ApiError(status, code, message, retry_s=retry_s)
