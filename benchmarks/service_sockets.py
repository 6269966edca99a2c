"""Many WebSockets from one cheap client: only what a session needs of RFC 6455."""

from __future__ import annotations

import asyncio
import json
from typing import Any

TEXT, BINARY, PING = 1, 2, 9
HEAD = (
    b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
START = {"type": "start", "voice": "kumo", "sample_rate_hz": 24_000, "chunk_ms": 100}
CHUNK = bytes(4800)


class Socket:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Socket:
        """Connect.

        Raises:
            ConnectionError: it was not accepted.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(head[:100])
        return cls(reader, writer)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a control message."""
        self._send(TEXT, json.dumps(message).encode())

    def send(self, sound: bytes) -> None:
        """Send sound."""
        self._send(BINARY, sound)

    def ping(self, times: int) -> None:
        """Send so many pings of 125 bytes."""
        for _ in range(times):
            self._send(PING, bytes(125))

    async def flushed(self) -> None:
        """Wait until not much of what was sent is still here."""
        await self._writer.drain()

    def _send(self, kind: int, content: bytes) -> None:
        """Send a message; masked with zeros, which changes nothing."""
        size = len(content)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._writer.write(bytes([0x80 | kind]) + length + bytes(4) + content)

    async def receive(self) -> tuple[int, bytes]:
        """Return the next message: its kind and its content."""
        kind, size = await self._reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self._reader.readexactly(2), "big")
        return kind & 15, await self._reader.readexactly(size)

    async def start(self) -> None:
        """Begin a session.

        Raises:
            ConnectionError: there was no room for it.
        """
        self.tell(START)
        kind, content = await self.receive()
        if kind != TEXT or json.loads(content)["type"] != "ready":
            raise ConnectionError(content[:200])

    async def converted(self) -> bool:
        """Send a chunk; tell whether its sound came back."""
        self.send(CHUNK)
        kind, content = await self.receive()
        return kind == BINARY and len(content) == len(CHUNK)

    def close(self) -> None:
        """Close."""
        self._writer.close()
