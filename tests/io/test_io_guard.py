"""The decoder's process: what it says, what it may use, and what its death does."""

from __future__ import annotations

import functools
import io as standard_io
import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.errors import ResourceError, UnsupportedAudio
from autovoice.io import _decoder, guard, integrity, spare
from autovoice.types import Audio


def messages(raw: bytes) -> list[tuple[bytes, bytes]]:
    out, at = [], 0
    while at < len(raw):
        kind, length = struct.unpack_from("<cI", raw, at)
        out.append((kind, raw[at + 5 : at + 5 + length]))
        at += 5 + length
    return out


def request(path: Path, **changes: object) -> str:
    standard = {"block_samples": 10_000, "header_only": False, "memory_bytes": 1, "cpu_seconds": 1}
    return json.dumps({"path": str(path), **standard, **changes})


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """Put a script in the decoder's place and return a file that looks like FLAC."""
    script = tmp_path / "decoder.py"
    script.write_text(f"import os, struct, sys, time\n{body}\n")
    monkeypatch.setattr(spare, "_SCRIPT", script)
    path = tmp_path / "x.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    return path


@pytest.fixture
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    # Inside the test's own process the limits would hold for the tests.
    monkeypatch.setattr(_decoder, "limit_resources", lambda *_: None)


@pytest.mark.usefixtures("no_limits")
@pytest.mark.parametrize("form", ["FLAC", "MP3"])
def test_the_decoder_speaks_its_protocol(song: Audio, tmp_path: Path, form: str) -> None:
    path = io.write(song, tmp_path / "x", format=form)
    out = standard_io.BytesIO()
    assert _decoder.main(request(path), out) == 0
    (first, head), *blocks, last = messages(out.getvalue())
    assert (first, last) == (b"H", (b"E", b""))
    assert json.loads(head)["claimed_samples"] == 44_100
    assert {kind for kind, _ in blocks} == {b"S"}
    data = np.frombuffer(b"".join(payload for _, payload in blocks), np.float32)
    assert data.shape == (88_200,)
    assert len(blocks[0][1]) == 10_000 * 2 * 4


@pytest.mark.usefixtures("no_limits")
def test_an_mp3_without_a_count_goes_through_a_pipe(song: Audio, tmp_path: Path) -> None:
    raw = io.write(song, tmp_path / "x.mp3").read_bytes()
    path = tmp_path / "bare.mp3"
    path.write_bytes(raw[raw.index(b"\xff\xfb", raw.index(b"Xing")) :])
    out = standard_io.BytesIO()
    assert _decoder.main(request(path), out) == 0
    (_, head), *blocks, _ = messages(out.getvalue())
    assert json.loads(head)["claimed_samples"] is None
    assert sum(len(payload) for _, payload in blocks) // 8 >= 44_100


@pytest.mark.usefixtures("no_limits")
def test_the_decoder_says_why_it_stops(song: Audio, tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(b"fLaC" + bytes(100))
    out = standard_io.BytesIO()
    assert _decoder.main(request(path), out) == 1
    ((kind, why),) = messages(out.getvalue())
    assert kind == b"X"
    assert why
    assert str(tmp_path).encode() not in why
    path.write_bytes(io.write(song, tmp_path / "x.mp3").read_bytes()[:300])
    out = standard_io.BytesIO()
    _decoder.main(request(path), out)
    assert messages(out.getvalue())[0][1] == b"no part of it decodes"


@pytest.mark.usefixtures("no_limits")
def test_running_out_of_memory_or_of_readers_is_no_crash(
    song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: type[Exception]) -> int:
        def raise_it(*_: object) -> None:
            raise error

        monkeypatch.setattr(_decoder, "decode", raise_it)
        return _decoder.main(request(tmp_path), standard_io.BytesIO())

    assert fail(BrokenPipeError) == 0
    assert fail(MemoryError) == 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("os.abort()", "status -6"),
        ("os.kill(os.getpid(), 11)", "status -11"),
        ("sys.exit(0)", "status 0"),
        ("sys.stdout.buffer.write(struct.pack('<cI', b'H', 1 << 30))", "oversized"),
        ("sys.stdout.buffer.write(struct.pack('<cI', b'S', 4) + bytes(4))", "cannot be decoded"),
    ],
)
def test_a_crash_of_the_decoder_is_unsupported_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str
) -> None:
    path = stand_in(tmp_path, monkeypatch, body)
    with pytest.raises(UnsupportedAudio, match=rf"x\.flac.*{why}"):
        io.read(path)


def test_a_crash_half_way_ends_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = {
        "container": "FLAC",
        "codec": "PCM_16",
        "sample_rate_hz": 8000,
        "channels": 1,
        "claimed_samples": None,
        "metadata": {},
    }
    body = f"""
head = {json.dumps(head).encode()!r}
out = sys.stdout.buffer
out.write(struct.pack('<cI', b'H', len(head)) + head + struct.pack('<cI', b'S', 8) + bytes(8))
"""
    for end, why in (("os.abort()", "status"), ("out.write(b'S\\3\\0\\0\\0abc')", "no samples")):
        path = stand_in(tmp_path, monkeypatch, f"{body}out.flush()\n{end}")
        with pytest.raises(UnsupportedAudio, match=why):
            list(io.blocks(path, 10))


def test_a_decoder_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stand_in(tmp_path, monkeypatch, "time.sleep(60)")
    started = time.monotonic()
    with pytest.raises(ResourceError, match="took more than"):
        guard.Decoder(path, "x.flac", guard.Limits(wait_seconds=0.3))
    assert time.monotonic() - started < 10


def test_too_little_memory_is_an_error_and_no_crash_here(
    song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = io.write(song, tmp_path / "x.flac")
    tight = functools.partial(guard.Limits, memory_bytes=1 << 20)
    monkeypatch.setattr("autovoice.io.reader.Limits", tight)
    with pytest.raises(UnsupportedAudio, match=r"memory|status"):
        io.read(path)


def test_a_decoder_that_cannot_start_is_out_of_resources(
    song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = io.write(song, tmp_path / "x.flac")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with pytest.raises(ResourceError, match="cannot be started"):
        io.read(path)


def test_limits_hold_in_the_process() -> None:
    pytest.importorskip("resource", reason="Windows has no resource limits")
    code = f"""
import resource, runpy
names = runpy.run_path({_decoder.__file__!r})
names["limit_resources"](1 << 30, 7)
print([resource.getrlimit(k)[0] for k in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)])
try:
    bytearray(1 << 31)
except MemoryError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "[7, 0]"
    assert sys.platform != "linux" or done.stdout.splitlines()[1] == "refused"


def test_the_decoder_starts_without_the_package() -> None:
    code = f"""
import runpy, sys
runpy.run_path({_decoder.__file__!r})
print(sorted({{"torch", "scipy", "soxr", "autovoice"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_abandoned_stream_leaves_no_process(song: Audio, tmp_path: Path) -> None:
    path = io.write(song, tmp_path / "x.wav")
    decoder = guard.Decoder(path, "x.wav", guard.Limits(), block_samples=100)
    with decoder:
        next(iter(decoder))
    assert decoder._process.poll() is not None


def test_promises_are_read_from_headers_alone(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def promise(raw: bytes) -> int | None:
        path.write_bytes(raw)
        return integrity.promised_samples(path)

    fmt = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 44_100, 176_400, 4, 16)
    riff = b"RIFF\0\0\0\0WAVE"
    assert promise(riff + b"odd \3\0\0\0abc\0" + fmt + b"data\x90\1\0\0") == 100
    assert promise(riff + fmt) is None
    assert promise(riff + b"data\x90\1\0\0") is None
    assert promise(riff + fmt + b"data\0\0\0\0") is None
    assert promise(b"FORM\0\0\0\0AIFFCOMM" + struct.pack(">IHI", 18, 1, 77)) == 77
    assert promise(b"FORM\0\0\0\0AIFF") is None
    assert promise(b"fLaC") is None
    assert promise(b"") is None
    path.write_bytes(b"OggS\0\4")
    assert integrity.lacks_end(path)
