"""Users of the service: each sends a song, looks at it until it is done, fetches it, and again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.service_client import Answers, answer, get, upload

FINISHED = {"done", "failed", "cancelled"}


@dataclass
class Seen:
    """What all users together were answered.

    Args:
        sent, looked, fetched: answers to songs, to ``GET job`` and to ``GET result``.
        accepted: jobs.
        ended: how they ended, as their users saw it.
        sounds: how often each result came, by its hash.
        broken: connections that broke.
    """

    sent: Answers = field(default_factory=Answers)
    looked: Answers = field(default_factory=Answers)
    fetched: Answers = field(default_factory=Answers)
    accepted: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    sounds: Counter[str] = field(default_factory=Counter)
    broken: int = 0

    @property
    def lost(self) -> int:
        """Accepted jobs that did not end done, with the same sound as all others."""
        usual = max(self.sounds.values(), default=0)
        return self.accepted - min(self.ended["done"], usual)


async def users(port: int, number: int, song: bytes, seconds: float) -> Seen:
    """Let so many users ask at once, each always with one request in flight.

    No song is begun after ``seconds``; those that were are followed to their end.
    """
    seen, end = Seen(), time.perf_counter() + seconds
    await asyncio.gather(*(_User(port, seen, song, end).run() for _ in range(number)))
    return seen


class _User:
    def __init__(self, port: int, seen: Seen, song: bytes, end: float) -> None:
        self._port, self._seen, self._song, self._end = port, seen, song, end

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._reader, self._writer = reader, writer
        try:
            while time.perf_counter() < self._end:
                await self._one_song()
        except (OSError, asyncio.IncompleteReadError):
            self._seen.broken += 1
        finally:
            writer.close()

    async def _one_song(self) -> None:
        seen = self._seen
        status, content = await self._ask(upload("/api/v1/convert/song", self._song), seen.sent)
        if status != 202:
            return
        seen.accepted += 1
        job = f"/api/v1/jobs/{json.loads(content)['id']}"
        state = ""
        while state not in FINISHED:
            status, content = await self._ask(get(job), seen.looked)
            state = json.loads(content)["state"] if status == 200 else state
        seen.ended[state] += 1
        status, content = await self._ask(get(f"{job}/result"), seen.fetched)
        if status == 200:
            seen.sounds[hashlib.sha256(content).hexdigest()] += 1

    async def _ask(self, request: bytes, answers: Answers) -> tuple[int, bytes]:
        begun = time.perf_counter()
        self._writer.write(request)
        found = await answer(self._reader)
        answers.add(found[0], time.perf_counter() - begun)
        return found
