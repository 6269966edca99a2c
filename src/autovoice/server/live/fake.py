"""Live sessions without any model: the sound upside down, after a fixed time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autovoice.errors import VoiceError
from autovoice.server.live.capacity import Capacity
from autovoice.types import FloatArray


class FakeMaker:
    """Sessions of fixed speed; a voice ``poison-kill`` ends the process.

    Args:
        chunk_s: that each chunk takes.
        most: sessions at once.
    """

    def __init__(self, chunk_s: float, most: int) -> None:
        self._chunk_s, self._capacity = chunk_s, Capacity(most)
        self._lock = threading.Lock()
        self._converted = 0

    def load(self) -> None:
        """There is nothing to load."""

    def batch_sizes(self) -> Mapping[int, int]:
        """Return what was converted: each chunk by itself."""
        return {1: self._converted} if self._converted else {}

    def count(self) -> None:
        """Count a chunk."""
        with self._lock:
            self._converted += 1

    def open(
        self, voice: str, owner: str, sample_rate_hz: int, chunk_ms: float,  # noqa: ARG002
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> FakeSession:  # fmt: skip
        """Begin."""
        session = FakeSession(self._chunk_s, self._capacity, self.count)
        session.change_voice(voice)
        self._capacity.admit(session, 0.0)
        return session


class FakeSession:
    """Turns the sound upside down."""

    latency_samples = 0
    notes: tuple[str, ...] = ()

    def __init__(self, chunk_s: float, capacity: Capacity, count: Callable[[], None]) -> None:
        self._chunk_s, self._capacity, self._count = chunk_s, capacity, count
        self._voice = ""

    def convert(self, samples: FloatArray) -> FloatArray:
        """Wait, and turn."""
        if self._voice == "poison-kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._voice == "poison-error":
            raise RuntimeError("an error that nobody expected")
        time.sleep(self._chunk_s)
        self._count()
        turned: FloatArray = samples * np.float32(-1)
        return turned

    def change_voice(self, voice: str) -> None:
        """Take any voice but ``missing``."""
        if voice == "missing":
            raise VoiceError(f"voice {voice!r}: no such voice")
        self._voice = voice

    def close(self) -> None:
        """Leave."""
        self._capacity.leave(self)
