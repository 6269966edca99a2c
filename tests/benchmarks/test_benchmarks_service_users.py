"""The users of the load test notice what is lost, what fails and what sounds otherwise."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from benchmarks.service_client import Answers
from benchmarks.service_sockets import CHUNK, START, TEXT, Socket
from benchmarks.service_users import Seen, users

from benchmarks import service_page

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SOUND = [b"sound", b"sound", b"other"]


def against(serve: Serve, work: Callable[[int], Awaitable[Seen]]) -> Seen:
    async def run() -> Seen:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.wait_for(work(port), 30)

    return asyncio.run(run())


def test_users_follow_their_jobs_to_the_end() -> None:
    """Three songs: done, done with another sound, failed. The second look finds each finished."""
    looks: Counter[str] = Counter()
    songs: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, path = head.decode().split()[:2]
            status, content = b"200 OK", b""
            if method == "POST":
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
                songs.append(f"job_{len(songs)}")
                status, content = b"202 Accepted", json.dumps({"id": songs[-1]}).encode()
            elif path.endswith("/result"):
                content = SOUND[int(path.split("/")[-2].removeprefix("job_"))]
            else:
                job = path.rpartition("/")[2]
                looks[job] += 1
                ended = "failed" if job == "job_3" else "done"
                content = json.dumps({"state": ended if looks[job] > 1 else "queued"}).encode()
                if job == "job_3" and looks[job] > 1:
                    writer.close()
                    return
            length = str(len(content)).encode()
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: " + length + b"\r\n\r\n")
            writer.write(content)

    seen = against(serve, lambda port: users(port, 1, b"song", 60.0))
    assert (seen.accepted, seen.broken) == (4, 1)
    assert seen.ended == {"done": 3}
    assert sorted(seen.sounds.values()) == [1, 2]
    assert seen.lost == 2  # one sounds otherwise, one never ended
    assert seen.sent.status == [202] * 4
    assert len(seen.looked.status) == 7
    assert seen.fetched.status == [200] * 3


def test_tables_show_the_median_and_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        ("p99, ms", "look.p99_ms", "{:.1f}", 50.0, False),
        ("jobs", "jobs", "{:.0f}", None, False),
    )
    monkeypatch.setattr(service_page, "ROWS", {"looking": rows})
    this = [{"look": {"p99_ms": value}, "jobs": 5} for value in (40.0, 60.0, 55.0)]
    found = {"this": this, "other": [{"look": {"p99_ms": 99.0}, "jobs": 4}]}
    lines = service_page.section("looking", found).body.splitlines()
    assert "| p99, ms | 55.0 (40.0 to 60.0) | <= 50.0 | **no** | 99.0 |" in lines
    assert "| jobs | 5 (5 to 5) |  |  | 4 |" in lines
    with pytest.raises(KeyError):  # what is missing is no 0 that reaches its goal
        service_page.section("looking", {"this": [{"jobs": 5}]})


def test_a_socket_masks_what_it_sends_and_reads_what_comes() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        got.append(await reader.readexactly(6 + len(json.dumps(START))))
        writer.write(b'\x81\x10{"type":"ready"}')
        got.append(await reader.readexactly(8 + len(CHUNK)))
        writer.write(b"\x82\x7e" + len(CHUNK).to_bytes(2, "big") + CHUNK)
        writer.close()

    async def work(port: int) -> Seen:
        socket = await Socket.open(port)
        await socket.start()
        assert await socket.converted()
        socket.close()
        return Seen(sent=Answers())

    against(serve, work)
    head, content = got[0][:6], got[0][6:]
    assert (head[0] & 15, head[1] >> 7) == (TEXT, 1)
    assert json.loads(content) == START
    assert got[1][8:] == CHUNK
