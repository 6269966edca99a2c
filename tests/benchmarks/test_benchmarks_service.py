"""The client of the load test: it counts what came back, and what did not."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from benchmarks import service_client as client


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)]
)
def test_percentiles_of_a_hundred(share: float, wanted: float) -> None:
    assert client.percentile([float(n) for n in range(100, 0, -1)], share) == wanted


def test_of_nothing_there_is_no_percentile() -> None:
    assert client.percentile([], 0.99) == 0.0


def test_loads_count_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six connections one is refused and one breaks; each is told by its status."""
    monkeypatch.setattr(client, "WARM_S", 0.0)
    seen: Counter[bytes] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(4096):
            path = head.split()[1]
            seen[path] += 1
            if path == b"/broken":
                break
            status = b"503 Full" if path == b"/full" else b"200 OK"
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    async def run() -> tuple[client.Answers, client.Answers]:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            requests = [client.get(path) for path in ("/a", "/a", "/a", "/a", "/full", "/broken")]
            closed = await client.closed_loop(port, requests, 0.3)
            return closed, await client.open_loop(port, client.get("/b"), 50.0, 0.2)

    closed, opened = asyncio.run(run())
    statuses = Counter(closed.status)
    assert statuses[200] == seen[b"/a"] > 8
    assert statuses[503] == seen[b"/full"] > 2
    assert statuses[0] == seen[b"/broken"] == 1
    assert min(closed.of(200, 300)) >= 0.02
    assert len(closed.of(500, 600)) == statuses[503]
    assert opened.status == [200] * 10
    assert seen[b"/b"] == 10


def test_an_upload_tells_its_length() -> None:
    head, _, body = client.upload("/x", b"song").partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.endswith(b"--\r\n")
