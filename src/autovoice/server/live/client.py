"""The API's side: a stream engine whose sessions live in another process. No torch here."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from autovoice.errors import InputError, ResourceError, VoiceError
from autovoice.server.api.stream_engine import StreamLost, StreamSession, StreamShape
from autovoice.server.live import frames
from autovoice.types import FloatArray

CONNECT_S, OPEN_S, ANSWER_S = 2.0, 60.0, 30.0
ERRORS = {"voice": VoiceError, "input": InputError, "full": ResourceError}


class PipeStreamEngine:
    """Open sessions in the live process.

    Args:
        path: of its socket.
        open_s, answer_s: how long an answer may take: the first, and each later one.
    """

    def __init__(self, path: Path, *, open_s: float = OPEN_S, answer_s: float = ANSWER_S) -> None:
        self._path, self._open_s, self._answer_s = path, open_s, answer_s

    async def open(self, voice: str, owner: str, shape: StreamShape) -> StreamSession:
        """Begin; see ``StreamEngine.open``."""
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_unix_connection(str(self._path), limit=frames.MOST_BYTES), CONNECT_S
            )
        except (OSError, TimeoutError, asyncio.TimeoutError) as error:
            raise ResourceError("the live engine is starting; try again in some seconds") from error
        session = PipeSession(reader, writer, self._answer_s)
        try:
            await session.begin(voice, owner, shape, self._open_s)
        except BaseException:
            await session.close()
            raise
        return session


class PipeSession:
    """One session: each question waits for its answer, so that nothing piles up between."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer_s: float
    ) -> None:
        self._reader, self._writer, self._answer_s = reader, writer, answer_s
        self.latency_samples = 0
        self.notes: tuple[str, ...] = ()

    async def begin(self, voice: str, owner: str, shape: StreamShape, wait_s: float) -> None:
        """Say what is wanted, and learn the delay."""
        wanted = {
            "op": "open",
            "voice": voice,
            "owner": owner,
            "sample_rate_hz": shape.sample_rate_hz,
            "chunk_ms": 1000 * shape.chunk_samples / shape.sample_rate_hz,
            "options": dict(shape.options),
        }
        answer = await self._told(wanted, wait_s)
        self.latency_samples = int(answer["latency_samples"])
        self.notes = tuple(answer["notes"])

    async def convert(self, samples: FloatArray) -> FloatArray:
        """Return as many samples, converted."""
        answer = await self._asked(frames.send_sound(self._writer, samples), self._answer_s)
        if isinstance(answer, dict):
            raise _error(answer)
        if len(answer) != len(samples):
            raise StreamLost(f"the live engine gave {len(answer)} samples for {len(samples)}")
        return answer

    async def change_voice(self, voice: str) -> None:
        """Sing on in another voice."""
        await self._told({"op": "voice", "voice": voice}, self._answer_s)

    async def close(self) -> None:
        """End it; the live process sees the connection close."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _told(self, values: dict[str, Any], wait_s: float) -> dict[str, Any]:
        answer = await self._asked(frames.send_json(self._writer, values), wait_s)
        if not isinstance(answer, dict):
            raise StreamLost("the live engine answered with sound, expected words")
        if "error" in answer:
            raise _error(answer)
        return answer

    async def _asked(self, sending: Any, wait_s: float) -> dict[str, Any] | FloatArray:
        async def exchange() -> dict[str, Any] | FloatArray | None:
            await sending
            return await frames.receive(self._reader)

        try:
            answer = await asyncio.wait_for(exchange(), wait_s)
        except (TimeoutError, asyncio.TimeoutError):
            raise StreamLost(f"the live engine gave no answer within {wait_s:g} s") from None
        except (OSError, ValueError) as error:
            raise StreamLost(f"the live engine is gone ({error})") from error
        if answer is None:
            raise StreamLost("the live engine ended; connect again in some seconds")
        return answer


def _error(answer: dict[str, Any]) -> Exception:
    message = str(answer.get("message", "the live engine failed"))
    if answer.get("error") == "drain":
        return StreamLost(message)
    return ERRORS.get(str(answer.get("error")), ResourceError)(message)
