"""Close connections whose request head does not come in time, or whose answer is not read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, which has no such limits before the first request and in answers."""

    header_s, send_idle_s = 10.0, 60.0
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _in_head = False

    @classmethod
    def within(cls, header_s: float, send_idle_s: float) -> type[DeadlineProtocol]:
        """Return a protocol with these limits, seconds."""
        limits = {"header_s": header_s, "send_idle_s": send_idle_s}
        return type(cls.__name__, (cls,), limits)

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Start the clock anew where a head has begun and not ended: most come in one piece."""
        super().data_received(data)
        if self._in_head and self._deadline is None:
            self._watch()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Stop the clock: bodies have limits of their own."""
        self._in_head = False
        self._rest()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Start a clock where what was sent waits for its reader."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.send_idle_s, self._not_read)

    def resume_writing(self) -> None:
        """Stop it: most of what waited was read."""
        super().resume_writing()
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._rest()
        self._read()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(self.header_s, self._late)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _not_read(self) -> None:
        self._unread = None
        self.transport.abort()  # closing would wait for the reader
