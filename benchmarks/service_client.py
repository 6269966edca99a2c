"""A cheap client of HTTP/1.1: a load test shall measure the service and not its client."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

BOUNDARY = "load"
WARM_S = 1.0


@dataclass
class Answers:
    """What came back.

    Args:
        status: of each answer; 0 where the connection broke.
        latency_s: from sending (for a new connection: from connecting) to the last byte.
    """

    status: list[int] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)

    def add(self, status: int, latency_s: float) -> None:
        """Note one."""
        self.status.append(status)
        self.latency_s.append(latency_s)

    def of(self, low: int, high: int) -> list[float]:
        """Return the latencies of the answers whose status is from ``low`` up to below ``high``."""
        pairs = zip(self.status, self.latency_s, strict=True)
        return [seconds for status, seconds in pairs if low <= status < high]


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` (0 to 1) of the values do not exceed; 0 of none.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def get(path: str) -> bytes:
    """Return a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def upload(path: str, content: bytes) -> bytes:
    """Return a request that sends a song in a form."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="voice"\r\n\r\nkumo\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    ).encode()
    body = head + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    ).encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer whose length is told in its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    mark = head.lower().find(b"content-length: ")
    length = int(head[mark + 16 : head.index(b"\r\n", mark)]) if mark >= 0 else 0
    return int(head[9:12]), await reader.readexactly(length)


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Send one request over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await answer(reader)
    finally:
        writer.close()


async def closed_loop(port: int, requests: list[bytes], seconds: float) -> Answers:
    """Keep one request of each connection in flight: the next follows at the answer.

    Args:
        port: of the service on this machine.
        requests: one connection for each.
        seconds: for how long, after ``WARM_S`` whose answers count only where they are none: all
            connections are made in the same moment, which is no part of the question.
    """
    found, begin = Answers(), time.perf_counter() + WARM_S
    end = begin + seconds

    async def one(request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < end:
                begun = time.perf_counter()
                writer.write(request)
                status, _ = await answer(reader)
                if begun >= begin or status != 200:
                    found.add(status, time.perf_counter() - begun)
        except (OSError, asyncio.IncompleteReadError):
            found.add(0, 0.0)
        finally:
            writer.close()

    await asyncio.gather(*map(one, requests))
    return found


async def open_loop(port: int, request: bytes, per_s: float, seconds: float) -> Answers:
    """Send requests at fixed times, however long the answers take, each on its own connection."""
    found, begin = Answers(), time.perf_counter()

    async def one() -> None:
        begun = time.perf_counter()
        try:
            status, _ = await ask(port, request)
        except (OSError, asyncio.IncompleteReadError):
            status = 0
        found.add(status, time.perf_counter() - begun)

    tasks = []
    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, begin + number / per_s - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    return found
