"""Every row of the design's table of bad input, over HTTP; and names that want to break out."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from api_desk import ApiDesk, refused, serving, tone, wav_claiming

BOMB_S = 3600


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    """A service whose uploads are looked at, as with the real engine."""
    with serving(tmp_path, engine="real", max_audio_s=60.0) as made:
        yield made


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../evil", "x")
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 44_100, 1, "PCM_16", format="FLAC") as out:
        for _ in range(BOMB_S):
            out.write(np.zeros(44_100, np.int16))
    return file.getvalue()


def many_channels(channels: int) -> bytes:
    file = io.BytesIO()
    sf.write(file, np.zeros((800, channels), np.float32), 8_000, format="WAV")
    return file.getvalue()


def odd(*values: float, rate: int = 8_000) -> bytes:
    """Return half a second of floats that no recorder writes."""
    file = io.BytesIO()
    sf.write(file, np.resize(np.array(values, np.float32), 4_000), rate, "FLOAT", format="WAV")
    return file.getvalue()


def cut(kind: str) -> bytes:
    content = tone(1.0, kind=kind)
    return content[: len(content) * 2 // 3]


def lying_safetensors() -> bytes:
    return (1 << 62).to_bytes(8, "little") + b'{"x": 1}'


REFUSED: list[tuple[str, str, bytes, int, str]] = [
    ("empty", "a.wav", b"", 422, "empty_file"),
    ("text", "a.wav", b"hello, this is text " * 50, 415, "unsupported_audio"),
    ("pdf", "a.mp3", b"%PDF-1.7 " + b"x" * 999, 415, "unsupported_audio"),
    ("picture", "a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 999, 415, "unsupported_audio"),
    ("video", "a.mp4", b"\0\0\0\x20ftypisom" + b"x" * 999, 415, "unsupported_audio"),
    ("playlist", "a.m3u", b"#EXTM3U\nsong.mp3\n", 415, "unsupported_audio"),
    ("script", "a.wav", b"<script>alert(1)</script>" * 9, 415, "unsupported_audio"),
    ("pickle", "a.pth", pickle.dumps({"a": 1}), 415, "unsupported_audio"),
    ("zip slip", "a.zip", zipped(), 415, "unsupported_audio"),
    ("safetensors", "a.safetensors", lying_safetensors(), 415, "unsupported_audio"),
    ("head only", "a.wav", b"RIFF\0\0\0\0WAVE", 415, "unsupported_audio"),
    ("cut flac", "a.flac", b"fLaC" + b"\0" * 20, 415, "unsupported_audio"),
    ("1 Hz", "a.wav", tone(2.0, rate=1), 422, "input_error"),
    ("65 channels", "a.wav", many_channels(65), 422, "input_error"),
    ("cut ogg", "a.ogg", cut("OGG"), 415, "unsupported_audio"),
    ("too long", "a.flac", bomb(), 422, "input_error"),
]


@pytest.mark.parametrize(
    ("name", "content", "status", "code"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cannot_be_sung_is_refused_with_a_reason(
    desk: ApiDesk, name: str, content: bytes, status: int, code: str
) -> None:
    words = refused(desk.song(content, name), status, code)
    assert "found" in words
    assert str(desk.settings.data_dir) not in words
    assert [one for one in desk.settings.data_dir.rglob("*") if one.parent.name == "parts"] == []
    assert list((desk.settings.data_dir / "files").glob("*/*")) == []
    assert desk.client.get("/api/v1/jobs").json()["jobs"] == []


ACCEPTED: list[tuple[str, str, bytes]] = [
    ("8 bit", "a.wav", tone(0.5, subtype="PCM_U8")),
    ("double", "a.wav", tone(0.5, subtype="DOUBLE")),
    ("flac", "a.flac", tone(0.5, kind="FLAC")),
    ("mp3", "a.mp3", tone(0.5, kind="MP3")),
    ("ogg", "a.ogg", tone(0.5, kind="OGG")),
    ("wrong ending", "a.mp3", tone(0.5)),
    ("0.02 s", "a.wav", tone(0.02)),
    ("8 channels", "a.wav", many_channels(8)),
    ("header of no length", "a.wav", wav_claiming(0xFFFFFFFF - 36)),
    ("NaN and Inf", "a.wav", odd(np.nan, 0.1, np.inf, -np.inf)),
    ("denormals", "a.wav", odd(1e-40, -1e-41)),
    ("DC", "a.wav", odd(0.5)),
    ("peaks of 1e38", "a.wav", odd(1e38, -1e38, 0.0)),
    ("silence", "a.wav", odd(0.0)),
    ("cut wav", "a.wav", cut("WAV")),
    ("cut flac", "a.flac", cut("FLAC")),
    ("cut mp3", "a.mp3", cut("MP3")),
    ("655 kHz", "a.wav", tone(0.1, rate=655_350)),
    ("sound that is a zip, too", "a.wav", tone(0.5) + zipped()),
    ("sound that is a page, too", "a.html", tone(0.5) + b"<script>alert(1)</script>"),
]


@pytest.mark.parametrize(
    ("name", "content"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED]
)
def test_what_can_be_sung_is_taken(desk: ApiDesk, name: str, content: bytes) -> None:
    answer = desk.song(content, name)
    if answer.status_code != 202:  # a header that promises hours is refused, not believed
        assert name == "a.wav"
        refused(answer, 422, "input_error")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\windows\\a.wav", "a.wav"),
        ("a\r\nSet-Cookie: x=1.wav", None),
        ("\u202egpj.wav", "gpj.wav"),
        ("..", "song"),
        ("a" * 500 + ".wav", "a" * 120),
        ('dou"ble.wav', None),
    ],
)
def test_names_stay_names(desk: ApiDesk, name: str, shown: str | None) -> None:
    answer = desk.song(name=name)
    assert answer.status_code == 202, answer.text
    found = answer.json()["request"]["name"]
    if shown is not None:
        assert found == shown
    assert not set(found) & set("\r\n\0/\\")
    stored = [one.name for one in desk.settings.data_dir.rglob("*") if one.is_file()]
    assert not any("passwd" in one or "gpj" in one for one in stored)


@pytest.mark.parametrize(
    "fields",
    [
        {"voice": ""},
        {"voice": "../../etc/passwd"},
        {"voice": "nobody"},
        {"semitones": "25"},
        {"semitones": "many"},
        {"format": "aiff"},
        {"preset": "super"},
        {"stems": "perhaps"},
        {"seed": "-1"},
        {"unknown": "field"},
        {"voice": "x" * 100},
    ],
)
def test_strange_options_are_refused(desk: ApiDesk, fields: dict[str, str]) -> None:
    answer = desk.song(**fields)
    assert answer.status_code == 422
    assert answer.json()["code"] in {"invalid_request", "voice_error"}
    assert list((desk.settings.data_dir / "files").glob("*/*")) == []


def post(desk: ApiDesk, content: Any, kind: str, **headers: str) -> Any:
    return desk.client.post(
        "/api/v1/convert/song", content=content, headers={"Content-Type": kind, **headers}
    )


def test_damaged_forms(desk: ApiDesk) -> None:
    form = "multipart/form-data; boundary=b"
    refused(post(desk, b"x", "text/plain"), 415, "not_a_form")
    refused(post(desk, b"x", "multipart/form-data"), 415, "not_a_form")
    refused(post(desk, b"no form at all", form), 400, "bad_form")
    refused(post(desk, b"", form), 400, "bad_form")
    part = b'--b\r\nContent-Disposition: form-data; name="voice"\r\n\r\n'
    refused(post(desk, part + b"kumo", form), 400, "bad_form")
    refused(post(desk, part + b"x" * 70_000 + b"\r\n--b--\r\n", form), 413, "fields_too_large")
    twice = part + b"kumo\r\n" + part + b"kumo\r\n--b--\r\n"
    refused(post(desk, twice, form), 422, "invalid_request")
    head = b"--b\r\nContent-Disposition: form-data; " + b"x" * 9000 + b"\r\n\r\n"
    refused(post(desk, head, form), 400, "bad_form")
    refused(post(desk, (part + b"\r\n") * 200 + b"--b--\r\n", form), 422, "invalid_request")
    refused(post(desk, b"[" * 60_000, "application/json"), 400, "bad_json")
    refused(post(desk, b" " * 70_000, "application/json"), 413, "fields_too_large")
    refused(post(desk, b"[]", "application/json"), 400, "bad_json")
    refused(post(desk, b'{"voice": 1e999}', "application/json"), 422, "invalid_request")
    song = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + tone()
    for rest in (b"\r\n--b\r\na b: c\r\n\r\n", b"\r\n--b", b"\r\n--b\r\n"):  # after a whole file
        refused(post(desk, song + rest, form), 400, "bad_form")
    files = [("file", ("a.wav", tone())), ("file", ("b.wav", tone()))]
    answer = desk.client.post("/api/v1/convert/song", files=files, data={"voice": "kumo"})
    refused(answer, 413, "too_many_files")
    assert list((desk.settings.data_dir / "files").glob("*/*")) == []


def test_the_cap_counts_bytes_and_believes_no_header(tmp_path: Path) -> None:
    with serving(tmp_path, max_upload_bytes=20_000) as desk:
        assert desk.song(tone(1.0)).status_code == 202
        refused(desk.song(tone(2.0)), 413, "upload_too_large")
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

        def endless() -> Iterator[bytes]:
            yield body + tone(1.0)
            for _ in range(1000):
                yield b"\0" * 1000

        answer = post(desk, endless(), "multipart/form-data; boundary=b")
        refused(answer, 413, "upload_too_large")
        assert desk.service.receiving_bytes == 0
        assert len(list((tmp_path / "files").glob("*/*"))) == 1
        assert list((tmp_path / "parts").iterdir()) == []


def test_damaged_heads_end_no_process(desk: ApiDesk) -> None:
    """Bytes of good files changed at random: any answer but a failure of the service."""
    chance = random.Random(7)
    for kind in ("WAV", "FLAC", "OGG"):
        good = tone(0.2, kind=kind)
        for _ in range(6):
            bad = bytearray(good)
            for _ in range(chance.randint(1, 8)):
                bad[chance.randrange(min(len(bad), 200))] = chance.randrange(256)
            answer = desk.song(bytes(bad[: chance.randint(20, len(bad))]), f"a.{kind.lower()}")
            assert answer.status_code in {202, 415, 422}, answer.text
