"""Answers that nobody reads, WebSockets that break the rules, and very many of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from benchmarks.service_process import Served
from benchmarks.service_sockets import HEAD, START, Socket
from process_desk import Running, running

from autovoice.server.files import raise_file_limit

COVER_BYTES = 16 << 20
SOCKETS, MOST_KB = 1000, 100.0
# Far more than what is allowed to grow, far less than what is not read.
MOST_GROWN_BYTES = 24 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("readers") / "d"
    limits = {"send_idle_s": 3.0, "max_streams": SOCKETS, "fake_chunk_s": 0.0}
    with running(folder, **limits) as made:
        yield made


def own_bytes(service: Running) -> int:
    """Return the API's memory that is its own."""
    return Served(0, service.process.pid).own_bytes()["api"]


@contextlib.contextmanager
def connected(service: Running) -> Iterator[socket.socket]:
    """Yield a connection with little room for what is not read."""
    address = urlsplit(service.url)
    with socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        made.settimeout(60.0)
        made.connect((address.hostname, address.port))
        yield made


def until_closed(reader: socket.socket) -> bytes:
    """Return all that still comes."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while block := reader.recv(1 << 16):
            found += block
    return bytes(found)


def test_an_answer_that_is_not_read_ends(service: Running) -> None:
    """While one that is read slowly is sent to its end, and memory stays flat."""
    job = service.submit(service.upload(), "slow")
    service.until(lambda: service.jobs()[job]["state"] == "done", "the job is done")
    (cover,) = (service.folder / "jobs").rglob("cover.wav")
    whole = os.urandom(COVER_BYTES)  # that of the fake engine would wait within the kernel
    cover.write_bytes(whole)
    path = f"/api/v1/jobs/{job}/result"
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    before = own_bytes(service)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(service)) for _ in range(20)]
        for one in idle:
            one.sendall(request)
        slow = stack.enter_context(connected(service))
        slow.sendall(request)
        assert until_closed(slow).endswith(whole)
        service.until(lambda: not open_connections(service), "the idle ones were ended")
        for one in idle:
            assert len(until_closed(one)) < len(whole)
    assert own_bytes(service) - before < MOST_GROWN_BYTES
    assert service.get("/health/ready")[0] == 200


def open_connections(service: Running) -> int:
    """Return how many connections the API holds, without those of this look."""
    port = urlsplit(service.url).port
    lines = Path(f"/proc/{service.pids['api']}/net/tcp").read_text().splitlines()[1:]
    found = [line.split() for line in lines]
    # Established (01), as seen from the service's end.
    return sum(int(one[1].split(":")[1], 16) == port and one[3] == "01" for one in found)


def frame(kind: int, content: bytes, *, masked: bool = True, whole: bool = True) -> bytes:
    """Return a frame of RFC 6455; masked with zeros, which changes nothing."""
    head = bytes([(0x80 if whole else 0) | kind])
    length = struct.pack(">BH", 126 | (0x80 if masked else 0), len(content))
    return head + length + (bytes(4) if masked else b"") + content


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        (frame(1, b"{}", masked=False), {1002}),
        (frame(3, b""), {1002}),
        (frame(1, b"\xff\xfe"), {1007}),
        (b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4), {1009}),
        (frame(0, b"x"), {1002}),  # goes on with what was not begun
        (frame(9, b"x" * 126), {1002}),  # a ping may have 125 bytes
        (frame(2, bytes(60_000), whole=False) + frame(0, bytes(60_000), whole=False) * 20, {1009}),
        (frame(1, b"[" * 60_000), {1009}),
        (frame(2, b"sound before the start"), {4400}),
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_closes(service: Running, sent: bytes, codes: set[int]) -> None:
    with connected(service) as client:
        client.sendall(HEAD)
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        assert head.startswith(b"HTTP/1.1 101")
        with contextlib.suppress(ConnectionError):
            client.sendall(sent)
        told = until_closed(client)
    closing = told.rfind(b"\x88", 0, len(told) - 2)
    assert struct.unpack(">H", told[closing + 2 : closing + 4])[0] in codes, told[-200:]
    assert service.get("/health/live")[0] == 200


@pytest.mark.parametrize("what", ["sound", "pings"])
def test_a_socket_that_is_never_read_ends(service: Running, what: str) -> None:
    """Its answers, and answers to pings, would be kept for ever otherwise."""
    before = own_bytes(service)
    start = {**START, "sample_rate_hz": 48_000, "format": "float32", "chunk_ms": 300}

    async def flood() -> None:
        made = await Socket.open(int(urlsplit(service.url).port or 0))
        made.tell(start)
        with contextlib.suppress(ConnectionError):
            while True:
                if what == "sound":
                    made.send(bytes(57_600))
                else:
                    made.ping(100)
                await made.flushed()
                await asyncio.sleep(0.002)
        made.close()

    asyncio.run(asyncio.wait_for(flood(), 400))
    assert own_bytes(service) - before < MOST_GROWN_BYTES
    assert service.get("/health/live")[0] == 200


def test_a_thousand_sessions_that_say_nothing_are_cheap(service: Running) -> None:
    """Of all processes together, and each of them still converts afterwards."""
    raise_file_limit()
    port = int(urlsplit(service.url).port or 0)
    served = Served(port, service.process.pid)

    async def run() -> tuple[float, int]:
        before = sum(served.own_bytes().values())
        opened: list[Socket] = []
        for number in range(SOCKETS):
            opened.append(await Socket.open(port))
            await opened[-1].start()
            if number % 100 == 99:  # sessions end that say nothing for long, as on a slow machine
                for one in opened:
                    one.tell({"type": "ping"})
        grown = sum(served.own_bytes().values()) - before
        alive = sum(await asyncio.gather(*(one.converted() for one in opened)))
        for one in opened:
            one.close()
        return grown / 1000 / SOCKETS, alive

    kb_each, alive = asyncio.run(asyncio.wait_for(run(), 400))
    assert kb_each < MOST_KB
    assert alive == SOCKETS
