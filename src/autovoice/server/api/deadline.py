"""Close connections whose request head does not come in time, or whose answers are not read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class _Reading:
    """A clock that runs while what was sent waits for its reader.

    Closing a connection waits for the reader as well; only aborting does not.
    """

    send_idle_s = 60.0
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _unread: asyncio.TimerHandle | None = None

    def _wait_for_reader(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(self.send_idle_s, self._not_read)

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _not_read(self) -> None:
        self._unread = None
        self.transport.abort()


class DeadlineProtocol(_Reading, HttpToolsProtocol):
    """uvicorn's own protocol, which has no such limits before the first request and in answers."""

    header_s = 10.0
    _deadline: asyncio.TimerHandle | None = None
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
        """Start the clock of the reader: much waits for it."""
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Stop it: most of that was read."""
        super().resume_writing()
        self._was_read()

    def on_response_complete(self) -> None:
        """Start it for the rest of an answer that ends the connection."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait_for_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Start it for the rest of the last answer."""
        super().timeout_keep_alive_handler()
        self._wait_for_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self._rest()
        self._was_read()
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


class StreamProtocol(_Reading, WebSocketsSansIOProtocol):
    """uvicorn's own protocol, which answers pings however many answers wait to be read."""

    @classmethod
    def within(cls, send_idle_s: float) -> type[StreamProtocol]:
        """Return a protocol with this limit, seconds."""
        return type(cls.__name__, (cls,), {"send_idle_s": send_idle_s})

    def pause_writing(self) -> None:
        """Read nothing more of whoever does not read, and start the clock."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._was_read()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Start the clock for the last words."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._wait_for_reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._was_read()
        super().connection_lost(exc)
