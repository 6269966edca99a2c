"""Live sessions in their own process: the pipe, its losses, its limits, its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket as socket_module
import struct
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_desk import serving
from process_desk import running
from test_server_stream import URL, begin, closed
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from autovoice.errors import InputError, ResourceError, VoiceError
from autovoice.server.api.stream_engine import StreamLost, StreamShape
from autovoice.server.live.capacity import Capacity
from autovoice.server.live.client import PipeStreamEngine
from autovoice.server.live.fake import FakeMaker
from autovoice.server.live.host import LiveHost, LiveMaker
from autovoice.server.live.real import EngineMaker
from autovoice.server.settings import Settings
from autovoice.types import FloatArray

DRAIN_S = 2.0
SHAPE = StreamShape(8_000, 800)
SOUND = np.linspace(-0.5, 0.5, 800, dtype=np.float32)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="av-") as folder:  # paths of sockets must be short
        yield Path(folder) / "live"


def together(path: Path, maker: LiveMaker, work: Callable[[PipeStreamEngine], Awaitable[Any]],
             grace_s: float = 1.0) -> Any:  # fmt: skip
    """Run a host and a client in one loop; return what the client returns."""

    async def both() -> Any:
        host = LiveHost(maker, path, grace_s)
        hosting = asyncio.create_task(host.run())
        while not path.exists():
            await asyncio.sleep(0.005)
        try:
            return await work(PipeStreamEngine(path, open_s=30.0, answer_s=30.0))
        finally:
            host.drain()
            await asyncio.wait_for(hosting, 60)

    return asyncio.run(both())


def test_sound_goes_through_the_pipe(path: Path) -> None:
    async def work(engine: PipeStreamEngine) -> None:
        session = await engine.open("kumo", "me", SHAPE)
        assert np.array_equal(await session.convert(SOUND), -SOUND)
        assert path.stat().st_mode & 0o077 == 0
        await session.change_voice("alpha")
        with pytest.raises(VoiceError, match="no such voice"):
            await session.change_voice("missing")
        assert len(await session.convert(SOUND[:3])) == 3
        await session.close()
        with pytest.raises(VoiceError, match="no such voice"):
            await engine.open("missing", "me", SHAPE)

    together(path, FakeMaker(0.0, 5), work)


def test_no_more_sessions_than_there_is_room_for(path: Path) -> None:
    async def work(engine: PipeStreamEngine) -> None:
        first = await engine.open("kumo", "me", SHAPE)
        with pytest.raises(ResourceError, match="try again"):
            await engine.open("kumo", "me", SHAPE)
        await first.close()
        end = time.monotonic() + 60
        while True:
            try:
                again = await engine.open("kumo", "me", SHAPE)
                break
            except ResourceError:
                assert time.monotonic() < end
                await asyncio.sleep(0.01)
        assert np.array_equal(await again.convert(SOUND), -SOUND)
        await again.close()

    together(path, FakeMaker(0.0, 1), work)


def test_without_a_live_process_there_is_advice(path: Path) -> None:
    with pytest.raises(ResourceError, match="try again"):
        asyncio.run(PipeStreamEngine(path).open("kumo", "me", SHAPE))


def test_an_engine_that_hangs_is_given_up(path: Path) -> None:
    async def work(engine: PipeStreamEngine) -> None:
        hasty = PipeStreamEngine(path, answer_s=1.0)
        session = await hasty.open("kumo", "me", SHAPE)
        with pytest.raises(StreamLost, match="no answer"):
            await session.convert(SOUND)
        await session.close()

    together(path, FakeMaker(2.5, 5), work)


def test_an_error_of_the_engine_is_told_and_ends_one_session(path: Path) -> None:
    async def work(engine: PipeStreamEngine) -> None:
        other = await engine.open("kumo", "me", SHAPE)
        session = await engine.open("poison-error", "me", SHAPE)
        with pytest.raises(ResourceError, match="RuntimeError"):
            await session.convert(SOUND)
        with pytest.raises(StreamLost, match=r"ended|gone"):
            await session.convert(SOUND)
        assert np.array_equal(await other.convert(SOUND), -SOUND)
        await asyncio.gather(session.close(), other.close())

    together(path, FakeMaker(0.0, 5), work)


@pytest.mark.parametrize(
    "content",
    [b"", b"J", struct.pack("<Ic", 1 << 30, b"J"), struct.pack("<Ic", 2, b"J") + b"[]",
     struct.pack("<Ic", 1, b"J") + b"x", struct.pack("<Ic", 3, b"S") + b"abc"],
)  # fmt: skip
def test_nonsense_on_the_socket_harms_nobody(path: Path, content: bytes) -> None:
    async def work(engine: PipeStreamEngine) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(content)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        session = await engine.open("kumo", "me", SHAPE)
        assert len(await session.convert(SOUND)) == 800
        await session.close()

    together(path, FakeMaker(0.0, 5), work)


def test_draining_lets_sessions_end_and_takes_no_more(path: Path) -> None:
    async def both() -> float:
        host = LiveHost(FakeMaker(0.0, 5), path, grace_s=DRAIN_S)
        hosting = asyncio.create_task(host.run())
        while not path.exists():
            await asyncio.sleep(0.005)
        engine = PipeStreamEngine(path)
        quick, slow = [await engine.open("kumo", "me", SHAPE) for _ in range(2)]
        begun = time.monotonic()
        host.drain()
        assert len(await quick.convert(SOUND)) == 800
        await quick.close()
        with pytest.raises(ResourceError):
            await engine.open("kumo", "me", SHAPE)
        await asyncio.wait_for(hosting, 60)
        with pytest.raises(StreamLost):
            await slow.convert(SOUND)
        await slow.close()
        return time.monotonic() - begun

    assert asyncio.run(both()) > 0.9 * DRAIN_S  # so long the slow one had


def test_capacity_is_what_chunks_were_measured_to_take() -> None:
    capacity = Capacity(10)
    capacity.admit("slow machine", 3.0)  # the first is always taken
    with pytest.raises(ResourceError, match="300 % of the engine"):
        capacity.admit("second", 3.0)
    capacity.leave("slow machine")
    for name in range(4):
        capacity.admit(name, 0.2)
    with pytest.raises(ResourceError):
        capacity.admit("fifth", 0.2)
    for _ in range(200):
        capacity.measured(0, 0.0)
    capacity.admit("fifth", 0.2)
    assert capacity.load == pytest.approx(0.8, abs=0.01)
    assert Capacity(0).load == 0


def listening(path: Path) -> bool:
    """Tell whether there is who takes connections; the file is there a moment before."""
    with socket_module.socket(socket_module.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


@contextmanager
def hosted(path: Path, maker: LiveMaker) -> Iterator[LiveHost]:
    """Run a host in a thread."""
    host = LiveHost(maker, path, 0.2)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(host.run()))
    thread.start()
    try:
        while not listening(path):
            time.sleep(0.005)
        yield host
    finally:
        loop.call_soon_threadsafe(host.drain)
        thread.join(60)
        loop.close()


def test_the_websocket_speaks_through_the_pipe(tmp_path: Path, path: Path) -> None:
    with hosted(path, FakeMaker(0.0, 1)), serving(tmp_path, PipeStreamEngine(path)) as desk:
        with desk.client.websocket_connect(URL) as socket:
            ready = begin(socket, semitones=-3, lookahead_ms=40)
            assert ready["notes"] == []
            chunk = (np.arange(800) * 10).astype("<i2")
            socket.send_bytes(chunk.tobytes())
            sound = np.frombuffer(socket.receive_bytes(), "<i2")
            assert np.abs(sound.astype(int) + chunk).max() <= 1
            with desk.client.websocket_connect(URL) as second:
                second.send_json({"type": "start", "voice": "kumo"})
                told = second.receive_json()
                assert (told["code"], told["retry_after_s"]) == ("try_later", 5)
                assert closed(second)[0] == 1013
        assert "autovoice_stream_chunk_seconds" in desk.client.get("/metrics").text


def test_only_the_last_message_is_short(tmp_path: Path) -> None:
    with serving(tmp_path) as desk, desk.client.websocket_connect(URL) as socket:
        begin(socket)
        socket.send_bytes(b"\0" * 20)
        socket.send_bytes(b"\0" * 1600)
        assert closed(socket) == (4400, "bad_message")


@contextmanager
def speak(url: str, voice: str) -> Iterator[Any]:
    with connect(url.replace("http", "ws") + URL) as socket:
        start = {"type": "start", "voice": voice, "sample_rate_hz": 8000, "chunk_ms": 100}
        socket.send(json.dumps(start))
        yield socket


def drain(socket: Any) -> None:
    """Read until the socket closes."""
    while True:
        socket.recv(timeout=60)


def test_a_killed_engine_closes_its_sessions_and_comes_back(tmp_path: Path) -> None:
    """Within the service: 1013 with advice, no hang; the next session works, jobs never noticed."""
    with running(tmp_path / "d", max_streams=8) as service:
        with speak(service.url, "poison-kill") as socket:
            while json.loads(socket.recv(timeout=60))["type"] == "error":
                pytest.fail("the live engine was not there")
            socket.send(b"\0" * 1600)
            told = json.loads(socket.recv(timeout=60))
            assert (told["code"], told["retry_after_s"]) == ("engine_lost", 5)
            with pytest.raises(ConnectionClosed) as end:
                socket.recv(timeout=60)
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1013

        def works() -> bool:
            with speak(service.url, "kumo") as socket:
                return bool(json.loads(socket.recv(timeout=60))["type"] == "ready")

        service.until(works, "the live engine is back")
        assert service.get("/health/ready")[0] == 200


def test_sigterm_lets_a_session_go_on_for_a_while(tmp_path: Path) -> None:
    with (
        running(tmp_path / "d", max_streams=8, grace_s=6.0) as service,
        speak(service.url, "kumo") as socket,
    ):
        assert json.loads(socket.recv(timeout=60))["type"] == "ready"
        pid = service.pids["live"]
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        socket.send(b"\1" * 1600)
        assert len(socket.recv(timeout=60)) == 1600
        with pytest.raises(ConnectionClosed):
            drain(socket)
        assert service.stop(signal.SIGTERM) < 30
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.e2e
def test_the_real_engine_sings_live(tmp_path: Path, path: Path) -> None:
    """Sound of the real networks comes back through the pipe, in time with what was sent."""
    maker = EngineMaker(Settings(data_dir=tmp_path), "cpu")
    maker.load()
    rate = 24_000
    at_s = np.arange(rate) / rate
    tone = sum(np.sin(2 * np.pi * 180 * n * at_s) / n for n in range(1, 12))
    sound: FloatArray = (0.1 * tone * (at_s > 0.3)).astype(np.float32)

    async def work(engine: PipeStreamEngine) -> tuple[FloatArray, int, tuple[str, ...]]:
        slow = PipeStreamEngine(path, open_s=60, answer_s=60)
        with pytest.raises(InputError, match="lookahead_ms"):
            await slow.open("kumo", "me", StreamShape(rate, 4_800, {"lookahead_ms": 2}))
        session = await slow.open("kumo", "me", StreamShape(rate, 4_800, {"semitones": 0}))
        parts = [await session.convert(sound[at : at + 4_800]) for at in range(0, rate, 4_800)]
        await session.close()
        return np.concatenate(parts), session.latency_samples, session.notes

    made, late, _notes = together(path, maker, work, grace_s=5.0)
    assert made.shape == sound.shape
    assert np.isfinite(made).all()
    heard = made[late + round(0.5 * rate) :]
    level = np.sqrt(np.mean(heard**2)) / np.sqrt(np.mean(sound[round(0.5 * rate) :] ** 2))
    assert 0.5 < level < 2
    assert np.abs(made[: late + round(0.2 * rate)]).max() < 1e-3
