"""The live process's side: sessions on one engine, as many as it has room for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from autovoice.errors import AutoVoiceError, InputError, ResourceError, VoiceError
from autovoice.server.live import frames
from autovoice.types import FloatArray

log = structlog.get_logger(__name__)
T = TypeVar("T")
# Threads that convert: the networks are used in turn, the rest runs beside.
THREADS = 4


class HostedSession(Protocol):
    """A session on an engine; called from one thread at a time."""

    latency_samples: int
    notes: tuple[str, ...]

    def convert(self, samples: FloatArray) -> FloatArray:
        """Return as many samples, converted."""

    def change_voice(self, voice: str) -> None:
        """Sing on in another voice."""

    def close(self) -> None:
        """Let go of what is held."""


class LiveMaker(Protocol):
    """Makes sessions."""

    def load(self) -> None:
        """Bring the models in."""

    def batch_sizes(self) -> Mapping[int, int]:
        """Return how many passes through the networks had each number of windows, so far."""

    def open(
        self,
        voice: str,
        owner: str,
        sample_rate_hz: int,
        chunk_ms: float,
        options: Mapping[str, Any],
    ) -> HostedSession:
        """Begin a session.

        Raises:
            VoiceError: there is no such voice.
            InputError: an option cannot be used.
            ResourceError: there is no room for another session.
        """  # fmt: skip


class LiveHost:
    """Serve sessions over a socket until told to drain.

    Args:
        maker: makes sessions.
        path: where to listen; only this user may connect.
        grace_s: how long open sessions may go on after ``drain``.
    """

    def __init__(self, maker: LiveMaker, path: Path, grace_s: float) -> None:
        self._maker, self._path, self._grace_s = maker, path, grace_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="live")
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()

    async def run(self) -> None:
        """Listen, serve, drain."""
        self._path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(
            self._connected, str(self._path), limit=frames.MOST_BYTES
        )
        self._path.chmod(0o600)
        log.info("live sessions are taken")
        await self._draining.wait()
        server.close()
        self._path.unlink(missing_ok=True)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def drain(self) -> None:
        """Take no more sessions; end when those that run have ended, or when time is up."""
        self._draining.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError) as error:
            log.warning("a live session broke off", problem=str(error))
        except asyncio.CancelledError:  # by ``run``, at the end
            log.info("a live session was cut off by the end of the service")
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = await frames.receive(reader)
        if not isinstance(wanted, dict) or wanted.get("op") != "open":
            return
        session = await self._answered(writer, lambda: self._open(wanted))
        if session is None:
            return
        try:
            notes = list(session.notes)
            await frames.send_json(
                writer, {"latency_samples": session.latency_samples, "notes": notes}
            )
            while (asked := await frames.receive(reader)) is not None:
                if not await self._once(writer, session, asked):
                    return
        finally:
            with contextlib.suppress(RuntimeError):
                self._threads.submit(session.close)

    async def _once(
        self, writer: asyncio.StreamWriter, session: HostedSession,
        asked: dict[str, Any] | FloatArray,
    ) -> bool:  # fmt: skip
        """Answer one question; return whether the session goes on."""
        if not isinstance(asked, dict):
            sound = await self._answered(writer, lambda: session.convert(asked))
            if sound is not None:
                await frames.send_sound(writer, sound)
            return sound is not None
        voice = str(asked.get("voice", ""))

        def change() -> dict[str, Any]:
            try:
                session.change_voice(voice)
            except VoiceError as error:
                return {"error": "voice", "message": str(error)}
            return {"voice": voice}

        answer = await self._answered(writer, change)
        if answer is not None:
            await frames.send_json(writer, answer)
        return answer is not None

    def _open(self, wanted: dict[str, Any]) -> HostedSession:
        return self._maker.open(
            str(wanted["voice"]),
            str(wanted["owner"]),
            int(wanted["sample_rate_hz"]),
            float(wanted["chunk_ms"]),
            dict(wanted.get("options", {})),
        )

    async def _answered(self, writer: asyncio.StreamWriter, work: Callable[[], T]) -> T | None:
        """Run work in a thread; where it fails, tell why and return None."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                await frames.send_json(writer, {"error": "drain", "message": "the service ends"})
            raise
        except AutoVoiceError as error:
            await frames.send_json(writer, {"error": _code(error), "message": str(error)})
        except Exception as error:
            log.exception("a live session failed")
            words = f"the live engine failed ({type(error).__name__}); the log tells more"
            await frames.send_json(writer, {"error": "engine", "message": words})
        return None


def _code(error: AutoVoiceError) -> str:
    if isinstance(error, VoiceError):
        return "voice"
    if isinstance(error, InputError):
        return "input"
    return "full" if isinstance(error, ResourceError) else "engine"
