"""``WS /api/v1/stream``: live conversion. ``docs/api.md`` describes the protocol.

Between reading and converting stands a queue of a few chunks; a client that sends faster than real
time or reads too slowly is told so and closed, so that a session's memory is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autovoice.errors import AutoVoiceError, ResourceError, VoiceError
from autovoice.server.api.auth import identify
from autovoice.server.api.service import Service, service_of_socket
from autovoice.server.api.stream_engine import StreamEngine, StreamLost, StreamSession, StreamShape
from autovoice.types import FloatArray

router = APIRouter()
DONE, TOO_BIG, LATER, INTERNAL = 1000, 1009, 1013, 1011
BAD, UNAUTHORIZED, FORBIDDEN, IDLE, NOT_AVAILABLE = 4400, 4401, 4403, 4408, 4501
MOST_TEXT = 4096
QUEUE_CHUNKS = 8
IDLE_S, SEND_S = 30.0, 10.0
# When a session that found no room, or lost its engine, may be tried again.
RETRY_S = 5


class Start(BaseModel):
    """The first message of a client."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["start"]
    voice: Annotated[str, Field(min_length=1, max_length=64)]
    sample_rate_hz: Annotated[int, Field(ge=8_000, le=48_000)] = 24_000
    format: Literal["pcm16", "float32"] = "pcm16"
    chunk_ms: Annotated[int, Field(ge=10, le=1_000)] = 100
    semitones: Annotated[int, Field(ge=-24, le=24)] | Literal["auto"] = "auto"
    lookahead_ms: Annotated[int, Field(ge=15, le=1_000)] | None = None
    context_ms: Annotated[int, Field(ge=300, le=6_000)] | None = None

    @property
    def shape(self) -> StreamShape:
        """How sound travels."""
        chunk_samples = self.sample_rate_hz * self.chunk_ms // 1000
        named = {"lookahead_ms": self.lookahead_ms, "context_ms": self.context_ms}
        options = {key: value for key, value in named.items() if value is not None}
        return StreamShape(
            self.sample_rate_hz, chunk_samples, {"semitones": self.semitones, **options}
        )


async def _ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they are done: ``wait_for`` before Python 3.12 may lose a cancellation."""
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.05)
    await asyncio.gather(*tasks, return_exceptions=True)


class Closing(Exception):
    """The session ends with a code."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code, self.name, self.message = code, name, message


@router.websocket("/api/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Convert live sound."""
    service = service_of_socket(socket)
    await socket.accept()
    request_id = socket.scope["state"]["request_id"]
    try:
        await _serve(socket, service)
        code, words = DONE, "done"
    except Closing as closing:
        code, words = closing.code, closing.message
        told = {"type": "error", "code": closing.name, "message": words, "request_id": request_id}
        if code == LATER:
            told["retry_after_s"] = RETRY_S
        service.metrics.rejections.labels(f"stream_{closing.name}").inc()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
            await asyncio.wait_for(socket.send_text(json.dumps(told)), SEND_S)
    except WebSocketDisconnect:
        return
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code, words.encode()[:120].decode("utf-8", "ignore"))


async def _serve(socket: WebSocket, service: Service) -> None:
    caller = await identify(service, _authorization(socket))
    if caller is None:
        raise Closing(UNAUTHORIZED, "unauthorized", "no valid API key")
    if "stream" not in caller.scopes:
        raise Closing(FORBIDDEN, "scope_missing", "this key lacks the scope 'stream'")
    engine: StreamEngine | None = socket.app.state.stream_engine
    if engine is None:
        raise Closing(
            NOT_AVAILABLE,
            "stream_not_available",
            "live conversion is not available in this version",
        )
    if service.draining or service.streams >= service.settings.max_streams:
        raise Closing(LATER, "try_later", "as many sessions as may run already; try again later")
    service.streams += 1
    service.metrics.streams.set(service.streams)
    try:
        start = await _start(socket)
        session = await _open(engine, start, caller.id)
        try:
            await _Session(socket, service, session, start).run()
        finally:
            await session.close()
    finally:
        service.streams -= 1
        service.metrics.streams.set(service.streams)


def _authorization(socket: WebSocket) -> str:
    """Return the header, or what stands for it: browsers can only choose subprotocols."""
    header = socket.headers.get("authorization")
    if header is not None:
        return header
    for protocol in socket.headers.get("sec-websocket-protocol", "").split(","):
        if protocol.strip().startswith("bearer."):
            return f"Bearer {protocol.strip().removeprefix('bearer.')}"
    return ""


async def _start(socket: WebSocket) -> Start:
    try:
        message = await asyncio.wait_for(socket.receive(), IDLE_S)
    except (TimeoutError, asyncio.TimeoutError):
        raise Closing(IDLE, "idle", "no start came") from None
    values = _control(message)
    try:
        return Start.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise Closing(BAD, "bad_message", f"start: {where}: {first['msg']}"[:200]) from None


async def _open(engine: StreamEngine, start: Start, owner: str) -> StreamSession:
    try:
        return await engine.open(start.voice, owner, start.shape)
    except VoiceError as error:
        raise Closing(BAD, "voice_error", str(error)) from error
    except ResourceError as error:
        raise Closing(LATER, "try_later", str(error)) from error
    except AutoVoiceError as error:
        raise Closing(BAD, "bad_message", f"start: {error}"[:200]) from error


def _control(message: Any) -> dict[str, Any]:
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    if text is None:
        raise Closing(BAD, "bad_message", "expected a JSON message, found sound")
    if len(text) > MOST_TEXT:
        raise Closing(TOO_BIG, "too_big", f"expected at most {MOST_TEXT} characters")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise Closing(BAD, "bad_message", "expected a JSON object")
    return values


class _Session:
    """One session: a reader, and a converter that sends."""

    def __init__(
        self, socket: WebSocket, service: Service, session: StreamSession, start: Start
    ) -> None:
        self._socket, self._service, self._session, self._start = socket, service, session, start
        self._queue: asyncio.Queue[tuple[float, FloatArray] | str | None] = asyncio.Queue(
            QUEUE_CHUNKS
        )
        self._chunks = self._underruns = 0
        self._was_short = False
        self._worst_s = 0.0

    async def run(self) -> None:
        shape = self._start.shape
        await self._tell(
            type="ready",
            sample_rate_hz=shape.sample_rate_hz,
            chunk_samples=shape.chunk_samples,
            format=self._start.format,
            latency_samples=self._session.latency_samples,
            latency_ms=1000 * self._session.latency_samples / shape.sample_rate_hz,
            notes=list(self._session.notes),
        )
        reader = asyncio.create_task(self._read())
        converter = asyncio.create_task(self._convert())
        try:
            done, _ = await asyncio.wait({reader, converter}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await _ended(reader, converter)

    async def _read(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), IDLE_S)
            except (TimeoutError, asyncio.TimeoutError):
                raise Closing(IDLE, "idle", f"nothing came for {IDLE_S:g} s") from None
            content = message.get("bytes")
            if content is not None:
                self._put((time.perf_counter(), self._samples(content)))
                continue
            values = _control(message)
            kind = values.get("type")
            if kind == "stop":
                await self._queue.put(None)
                return
            if kind == "voice" and isinstance(values.get("voice"), str):
                self._put(values["voice"][:64])
            elif kind != "ping":
                raise Closing(BAD, "bad_message", "expected voice, ping or stop")

    def _put(self, item: tuple[float, FloatArray] | str) -> None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            raise Closing(
                LATER, "too_fast", f"{QUEUE_CHUNKS} chunks wait already; send in real time"
            ) from None

    def _samples(self, content: bytes) -> FloatArray:
        is_pcm = self._start.format == "pcm16"
        size, most = (2 if is_pcm else 4), self._start.shape.chunk_samples
        if len(content) > most * size:
            raise Closing(TOO_BIG, "too_big", f"expected at most {most} samples in a message")
        if not content or len(content) % size:
            raise Closing(BAD, "bad_message", f"expected whole samples of {size} bytes")
        if self._was_short:  # each message costs a window, however short it is
            raise Closing(BAD, "bad_message", f"only the last message may be under {most} samples")
        self._was_short = len(content) < most * size
        if is_pcm:
            return (np.frombuffer(content, "<i2") / np.float32(32768)).astype(np.float32)
        samples = np.frombuffer(content, "<f4").astype(np.float32)
        return np.clip(np.nan_to_num(samples, posinf=1.0, neginf=-1.0), -1.0, 1.0)

    async def _convert(self) -> None:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, str):
                await self._voice(item)
                continue
            came, samples = item
            try:
                sound = await self._session.convert(samples)
            except StreamLost as error:
                raise Closing(LATER, "engine_lost", str(error)) from error
            except AutoVoiceError as error:
                raise Closing(INTERNAL, "engine_failed", str(error)) from error
            self._measure(time.perf_counter() - came, len(samples))
            await self._send(self._bytes(sound))
            if self._chunks % 10 == 1:
                await self._stats("stats")
        await self._stats("done")

    async def _voice(self, voice: str) -> None:
        try:
            await self._session.change_voice(voice)
            await self._tell(type="voice", voice=voice)
        except VoiceError as error:
            await self._tell(type="voice_error", voice=voice, message=str(error))
        except StreamLost as error:
            raise Closing(LATER, "engine_lost", str(error)) from error

    def _measure(self, seconds: float, length: int) -> None:
        metrics = self._service.metrics
        (metrics.chunk if self._chunks else metrics.first_chunk).observe(seconds)
        self._chunks += 1
        self._worst_s = max(self._worst_s, seconds)
        if seconds > length / self._start.sample_rate_hz:
            self._underruns += 1
            metrics.underruns.inc()
        self._last_s = seconds

    async def _stats(self, kind: str) -> None:
        await self._tell(
            type=kind,
            chunks=self._chunks,
            underruns=self._underruns,
            latency_ms=round(1000 * getattr(self, "_last_s", 0.0), 3),
            worst_latency_ms=round(1000 * self._worst_s, 3),
        )

    def _bytes(self, sound: FloatArray) -> bytes:
        clipped = np.clip(sound, -1.0, 1.0)
        if self._start.format == "pcm16":
            return np.rint(clipped * 32767).astype("<i2").tobytes()
        return clipped.astype("<f4").tobytes()

    async def _tell(self, **message: Any) -> None:
        await self._send(json.dumps(message))

    async def _send(self, content: str | bytes) -> None:
        send = self._socket.send_text if isinstance(content, str) else self._socket.send_bytes
        try:
            await asyncio.wait_for(send(content), SEND_S)  # type: ignore[arg-type]
        except (TimeoutError, asyncio.TimeoutError):
            raise Closing(LATER, "too_slow", "the client does not read in time") from None
