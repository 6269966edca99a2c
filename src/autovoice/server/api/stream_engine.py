"""What live conversion needs of an engine, and a stand-in of fixed speed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from autovoice.errors import ResourceError, VoiceError
from autovoice.types import FloatArray


@dataclass(frozen=True)
class StreamShape:
    """How sound travels in a session.

    Args:
        sample_rate_hz: of both directions, mono.
        chunk_samples: samples of each message but the last.
        options: what else was asked for: ``semitones``, ``lookahead_ms``, ``context_ms``.
    """

    sample_rate_hz: int
    chunk_samples: int
    options: Mapping[str, Any] = field(default_factory=dict)


class StreamLost(ResourceError):
    """The session's engine is gone; another one may be had in some seconds."""


class StreamSession(Protocol):
    """One live conversion; state lives here, not in the networks."""

    latency_samples: int
    notes: tuple[str, ...]

    async def convert(self, samples: FloatArray) -> FloatArray:
        """Return as many samples as were given, delayed by ``latency_samples``; ``[T]``.

        Raises:
            StreamLost: the engine is gone.
            AutoVoiceError: it failed.
        """
        ...

    async def change_voice(self, voice: str) -> None:
        """Sing on in another voice.

        Raises:
            VoiceError: there is none of that name.
        """
        ...

    async def close(self) -> None:
        """Free what the session holds."""
        ...


class StreamEngine(Protocol):
    """Opens sessions."""

    async def open(self, voice: str, owner: str, shape: StreamShape) -> StreamSession:
        """Begin.

        Raises:
            VoiceError: there is no such voice.
            InputError: an option cannot be used.
            ResourceError: no room for another session.
        """
        ...


class FakeStreamEngine:
    """Turns the sound upside down, after ``chunk_s`` seconds; for tests and load tests."""

    def __init__(self, chunk_s: float = 0.0) -> None:
        self._chunk_s = chunk_s

    async def open(self, voice: str, owner: str, shape: StreamShape) -> StreamSession:  # noqa: ARG002
        """Begin."""
        session = _FakeSession(self._chunk_s)
        await session.change_voice(voice)
        return session


class _FakeSession:
    latency_samples = 0
    notes: tuple[str, ...] = ()

    def __init__(self, chunk_s: float) -> None:
        self._chunk_s, self._gain = chunk_s, np.float32(-1)

    async def convert(self, samples: FloatArray) -> FloatArray:
        if self._chunk_s:
            await asyncio.sleep(self._chunk_s)
        turned: FloatArray = samples * self._gain
        return turned

    async def change_voice(self, voice: str) -> None:
        if voice == "missing":
            raise VoiceError(f"voice {voice!r}: no such voice")
        self._gain = np.float32(-0.5 if voice == "quiet" else -1)

    async def close(self) -> None:
        return None
