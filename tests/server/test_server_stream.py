"""Live sessions: the protocol, its limits and its close codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_desk import ApiDesk, serving
from starlette.websockets import WebSocketDisconnect

from autovoice.server.api import stream
from autovoice.server.api.stream_engine import FakeStreamEngine

URL = "/api/v1/stream"
START = {"type": "start", "voice": "kumo", "sample_rate_hz": 8000, "chunk_ms": 100}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    with serving(tmp_path) as made:
        yield made


def closed(socket: Any) -> tuple[int, str]:
    """Read until the socket closes; return its code and the name of the error told before."""
    name = ""
    try:
        while True:
            message = socket.receive()
            if message["type"] == "websocket.close":
                return message["code"], name
            if message.get("text"):
                name = json.loads(message["text"]).get("code", name)
    except WebSocketDisconnect as end:
        return end.code, name


def begin(socket: Any, **changes: Any) -> dict[str, Any]:
    socket.send_json({**START, **changes})
    ready: dict[str, Any] = socket.receive_json()
    assert ready["type"] == "ready"
    return ready


def test_sound_goes_in_and_comes_out(desk: ApiDesk) -> None:
    with desk.client.websocket_connect(URL) as socket:
        ready = begin(socket)
        assert (ready["chunk_samples"], ready["latency_ms"]) == (800, 0.0)
        chunk = (np.arange(800) * 10).astype("<i2")
        socket.send_bytes(chunk.tobytes())
        sound = np.frombuffer(socket.receive_bytes(), "<i2")
        assert np.abs(sound.astype(int) + chunk).max() <= 1
        stats = socket.receive_json()
        assert (stats["type"], stats["chunks"]) == ("stats", 1)
        assert stats["latency_ms"] > 0
        socket.send_json({"type": "voice", "voice": "quiet"})
        assert socket.receive_json() == {"type": "voice", "voice": "quiet"}
        socket.send_json({"type": "voice", "voice": "missing"})
        assert socket.receive_json()["type"] == "voice_error"
        socket.send_json({"type": "ping"})
        socket.send_bytes(chunk[:400].tobytes())
        sound = np.frombuffer(socket.receive_bytes(), "<i2")
        assert np.abs(2 * sound.astype(int) + chunk[:400]).max() <= 2
        socket.send_json({"type": "stop"})
        done = socket.receive_json()
        assert (done["type"], done["chunks"]) == ("done", 2)
        assert closed(socket) == (1000, "")
    assert desk.service.streams == 0
    text = desk.client.get("/metrics").text
    assert "autovoice_stream_first_chunk_seconds_count 1.0" in text
    assert "autovoice_stream_sessions 0.0" in text


def test_floats_are_made_safe(desk: ApiDesk) -> None:
    with desk.client.websocket_connect(URL) as socket:
        begin(socket, format="float32")
        socket.send_bytes(np.array([np.nan, np.inf, -np.inf, 1e38, 0.5], "<f4").tobytes())
        sound = np.frombuffer(socket.receive_bytes(), "<f4")
        assert np.allclose(sound, [0, -1, 1, -1, -0.5])


@pytest.mark.parametrize(
    ("first", "code", "name"),
    [
        ("no json", 4400, "bad_message"),
        ("[]", 4400, "bad_message"),
        (json.dumps({**START, "type": "begin"}), 4400, "bad_message"),
        (json.dumps({**START, "sample_rate_hz": 10**9}), 4400, "bad_message"),
        (json.dumps({**START, "extra": 1}), 4400, "bad_message"),
        (json.dumps({**START, "voice": "missing"}), 4400, "voice_error"),
        ("[" * 5000, 1009, "too_big"),
    ],
)
def test_a_bad_start_closes(desk: ApiDesk, first: str, code: int, name: str) -> None:
    with desk.client.websocket_connect(URL) as socket:
        socket.send_text(first)
        assert closed(socket) == (code, name)
    assert desk.service.streams == 0


def test_sound_before_the_start_closes(desk: ApiDesk) -> None:
    with desk.client.websocket_connect(URL) as socket:
        socket.send_bytes(b"\0" * 100)
        assert closed(socket) == (4400, "bad_message")


@pytest.mark.parametrize(
    ("sent", "code", "name"),
    [
        (b"\0" * 1602, 1009, "too_big"),
        (b"\0" * 3, 4400, "bad_message"),
        (b"", 4400, "bad_message"),
        ('{"type": "dance"}', 4400, "bad_message"),
        ('{"type": "voice"}', 4400, "bad_message"),
    ],
)
def test_a_bad_message_closes(desk: ApiDesk, sent: bytes | str, code: int, name: str) -> None:
    with desk.client.websocket_connect(URL) as socket:
        begin(socket)
        if isinstance(sent, bytes):
            socket.send_bytes(sent)
        else:
            socket.send_text(sent)
        assert closed(socket) == (code, name)


def test_who_sends_faster_than_real_time_is_closed(tmp_path: Path) -> None:
    with (
        serving(tmp_path, FakeStreamEngine(chunk_s=1.0)) as desk,
        desk.client.websocket_connect(URL) as socket,
    ):
        begin(socket)
        for _ in range(stream.QUEUE_CHUNKS + 4):
            socket.send_bytes(b"\0" * 1600)
        assert closed(socket) == (1013, "too_fast")


def test_late_chunks_are_counted(tmp_path: Path) -> None:
    with (
        serving(tmp_path, FakeStreamEngine(chunk_s=0.15)) as desk,
        desk.client.websocket_connect(URL) as socket,
    ):
        begin(socket)
        socket.send_bytes(b"\0" * 1600)
        socket.receive_bytes()
        assert socket.receive_json()["underruns"] == 1


def test_silence_ends_a_session(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.client.websocket_connect(URL) as socket:
        begin(socket)
        monkeypatch.setattr(stream, "IDLE_S", 0.1)
        socket.send_json({"type": "ping"})  # what is waited for next has the new limit
        assert closed(socket) == (4408, "idle")
    with desk.client.websocket_connect(URL) as socket:
        assert closed(socket) == (4408, "idle")


def test_no_more_sessions_than_may_run(tmp_path: Path) -> None:
    with serving(tmp_path, max_streams=1) as desk:
        with desk.client.websocket_connect(URL) as first:
            begin(first)
            with desk.client.websocket_connect(URL) as second:
                assert closed(second) == (1013, "try_later")
        with desk.client.websocket_connect(URL) as third:
            begin(third)


def test_a_key_is_needed(tmp_path: Path) -> None:
    with serving(tmp_path, auth="required") as desk:
        key = desk.service.keys.create("anna")
        other = desk.service.keys.create("bert", ["convert"])
        with desk.client.websocket_connect(URL) as socket:
            assert closed(socket) == (4401, "unauthorized")
        head = {"Authorization": f"Bearer {other}"}
        with desk.client.websocket_connect(URL, headers=head) as socket:
            assert closed(socket) == (4403, "scope_missing")
        with desk.client.websocket_connect(URL, subprotocols=[f"bearer.{key}"]) as socket:
            begin(socket)


def test_other_sites_may_not_listen(desk: ApiDesk) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as told,
        desk.client.websocket_connect(URL, headers={"Origin": "https://evil.example"}),
    ):
        pass
    assert told.value.code == 4403


def test_without_live_conversion_it_is_said(tmp_path: Path) -> None:
    desk = ApiDesk(tmp_path, live=None)
    with desk.client, desk.client.websocket_connect(URL) as socket:
        assert closed(socket) == (4501, "stream_not_available")
