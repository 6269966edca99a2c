"""Speech over HTTP: as a job, and as an answer; refusals before there is a job."""

from __future__ import annotations

import http.client
import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile as sf
from api_desk import ApiDesk, refused, serving
from process_desk import Running, running
from server_desk import new_job

from autovoice.server.jobs import JobTable
from autovoice.server.jobs.records import SPOKEN_NOW
from autovoice.server.sound import pcm16

SYNTHESIZE, OPENAI, JOBS = "/api/v1/synthesize", "/v1/audio/speech", "/api/v1/jobs"
TEXT = "The river was cold that morning. " * 20  # 660 characters: 7 pieces of the fake engine
SAMPLES = 7 * 2400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ApiDesk]:
    with serving(tmp_path) as made:
        yield made


def openai(desk: ApiDesk, **changes: Any) -> Any:
    asked = {"model": "tts-1", "input": TEXT, "voice": "kumo", **changes}
    return desk.client.post(OPENAI, json=asked)


def left(desk: ApiDesk) -> list[Path]:
    """Return what lies in the folders of uploads and jobs."""
    folder = desk.settings.data_dir
    return [
        one for room in ("files", "jobs") for one in (folder / room).rglob("*") if one.is_file()
    ]


@pytest.mark.parametrize("kind", ["flac", "wav", "mp3", "ogg", "opus"])
def test_a_text_becomes_a_file(desk: ApiDesk, kind: str) -> None:
    answer = desk.client.post(SYNTHESIZE, json={"text": TEXT, "voice": "kumo", "format": kind})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == job["links"]["self"]
    assert (job["kind"], job["state"], job["request"]["characters"]) == ("speech", "queued", 660)
    assert TEXT not in answer.text
    refused(desk.client.get(f"{JOBS}/{job['id']}/result"), 409, "not_finished")
    desk.work()
    job = desk.client.get(job["links"]["self"]).json()
    assert (job["state"], job["chunks_done"], job["result"]["pieces"]) == ("done", 7, 7)
    assert job["audio_seconds"] == job["result"]["seconds"] == SAMPLES / 24_000
    result = desk.client.get(job["links"]["result"])
    assert "speech" in result.headers["Content-Disposition"]
    sound, rate = sf.read(io.BytesIO(result.content))
    assert abs(len(sound) / rate - SAMPLES / 24_000) < 0.1


def test_the_same_key_is_the_same_speech(desk: ApiDesk) -> None:
    asked = {"text": TEXT, "voice": "kumo"}
    headers = {"Idempotency-Key": "one"}
    ids = {desk.client.post(SYNTHESIZE, json=asked, headers=headers).json()["id"] for _ in range(3)}
    assert len(ids) == 1
    assert len(left(desk)) == 1
    for other in ({**asked, "speed": 1.5}, {**asked, "text": "Another."}):
        answer = desk.client.post(SYNTHESIZE, json=other, headers=headers)
        refused(answer, 409, "idempotency_conflict")
    assert len(left(desk)) == 1


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"text": ""}, "input_error", "nothing to say"),
        ({"text": " \n\t"}, "input_error", "nothing to say"),
        ({"text": "a\0b"}, "input_error", "NUL"),
        ({"text": "x" * 1001}, "input_error", "found 1001 characters, expected at most 1000"),
        ({"text": 7}, "invalid_request", "text"),
        ({"language": "tlh"}, "input_error", "language: found 'tlh'"),
        ({"speed": 3}, "invalid_request", "speed"),
        ({"speed": "NaN"}, "invalid_request", "speed"),
        ({"format": "aac"}, "invalid_request", "format"),
        ({"voice": ""}, "invalid_request", "voice"),
        ({"loudness": 1}, "invalid_request", "loudness"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_there_is_a_job(
    tmp_path: Path, changes: dict[str, Any], code: str, words: str
) -> None:
    with serving(tmp_path, max_text_characters=1000) as desk:
        answer = desk.client.post(SYNTHESIZE, json={"text": "Hello.", "voice": "kumo", **changes})
        assert words in refused(answer, 422, code)
        names = {"text": "input", "format": "response_format"}
        asked = {names.get(key, key): value for key, value in changes.items()}
        told = refused(openai(desk, **{"input": "Hello.", **asked}), 422, code)
        assert words.replace("text", "input") in told or words in told
        assert desk.client.get(JOBS).json()["jobs"] == []
        assert left(desk) == []


def test_bodies_that_are_no_request(tmp_path: Path) -> None:
    with serving(tmp_path, max_text_characters=10) as desk:
        for url in (SYNTHESIZE, OPENAI):
            refused(desk.client.post(url, content=b"["), 400, "bad_json")
            refused(desk.client.post(url, content=b"[]"), 400, "bad_json")
            answer = desk.client.post(url, content=b'{"text": "' + b"x" * 40_000 + b'"}')
            refused(answer, 413, "fields_too_large")
            half = b'{"model": "m", "input": "\\ud800", "text": "\\ud800", "voice": "kumo"}'
            assert desk.client.post(url, content=half).status_code == 422
        for name, value in (("instructions", "Shout."), ("stream_format", "sse")):
            assert name in refused(openai(desk, **{name: value}), 422, "invalid_request")
        told = refused(openai(desk, response_format="aac"), 422, "invalid_request")
        assert told.startswith("response_format: aac cannot be encoded here; take mp3")


def test_a_voice_that_does_not_exist(tmp_path: Path) -> None:
    with serving(tmp_path, engine="real") as desk:
        refused(openai(desk, voice="alloy"), 422, "voice_error")
        answer = desk.client.post(SYNTHESIZE, json={"text": "Hello.", "voice": "../kumo"})
        refused(answer, 422, "voice_error")
        assert left(desk) == []


@pytest.mark.parametrize(
    ("kind", "media", "head"),
    [
        ("mp3", "audio/mpeg", b""),
        ("opus", "audio/ogg", b"OggS"),
        ("flac", "audio/flac", b"fLaC"),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b""),
    ],
)
def test_the_answer_is_the_sound(desk: ApiDesk, kind: str, media: str, head: bytes) -> None:
    with desk.working():
        answer = openai(desk, response_format=kind)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == media
    assert answer.content.startswith(head)
    if kind == "pcm":
        assert len(answer.content) == 2 * SAMPLES
    elif kind == "wav":
        with wave.open(io.BytesIO(answer.content)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
            assert len(file.readframes(10 * SAMPLES)) == 2 * SAMPLES
    else:
        sound, rate = sf.read(io.BytesIO(answer.content))
        assert abs(len(sound) / rate - SAMPLES / 24_000) < 0.1
    # Nothing is kept of it, and the books still balance.
    assert left(desk) == []
    assert desk.client.get(JOBS).json()["jobs"] == []
    text = desk.client.get("/metrics").text
    assert 'autovoice_jobs_finished_total{kind="speech.stream",outcome="done"} 1.0' in text
    assert "autovoice_speech_first_sound_seconds_count 1.0" in text
    assert 'autovoice_jobs_in_state{state="running"} 0.0' in text


def test_the_default_is_mp3_and_the_language_may_be_said(desk: ApiDesk) -> None:
    with desk.working():
        answer = openai(desk, language="FR")
    assert answer.headers["Content-Type"] == "audio/mpeg"


@pytest.mark.parametrize(
    ("voice", "status", "code"),
    [("poison-input", 500, "unsupported_audio"), ("poison-error", 500, "internal")],
)
def test_speech_that_fails_has_its_status(
    tmp_path: Path, voice: str, status: int, code: str
) -> None:
    with serving(tmp_path, attempts=1) as desk, desk.working():
        refused(openai(desk, voice=voice), status, code)
        job = desk.client.get(JOBS).json()["jobs"][0]
        assert job["error"]["code"] == code
        answer = desk.client.post(f"{JOBS}/{job['id']}/retry")
        refused(answer, 409, "not_retryable")


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    with serving(tmp_path, speech_wait_s=0.3) as desk:
        answer = openai(desk)
        refused(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) > 0
        jobs = desk.client.get(JOBS).json()["jobs"]
        assert [job["state"] for job in jobs] == ["cancelled"]


def test_an_end_of_the_service_is_told_to_who_waits(desk: ApiDesk) -> None:
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(openai(desk)))
    waiting.start()
    end = time.monotonic() + 60
    while not desk.service.table.active():
        assert time.monotonic() < end
        time.sleep(0.01)
    desk.service.draining = True
    waiting.join(60)
    refused(answers[0], 503, "draining")
    assert desk.service.table.active() == 0


def test_limits(tmp_path: Path) -> None:
    with serving(tmp_path / "a", max_queued=1) as desk:
        asked = {"text": "Hello.", "voice": "kumo"}
        assert desk.client.post(SYNTHESIZE, json=asked).status_code == 202
        refused(desk.client.post(SYNTHESIZE, json=asked), 503, "queue_full")
        refused(openai(desk), 503, "queue_full")
        assert len(left(desk)) == 1
    with serving(tmp_path / "b", quotas={"audio_minutes_per_day": 0.5}) as desk:
        refused(openai(desk, input="word " * 500), 429, "quota_exceeded")
        assert left(desk) == []


def test_a_key_for_speech_alone(tmp_path: Path) -> None:
    with serving(tmp_path, auth="required") as desk:
        speaks = desk.service.keys.create("speaks", ["speak"])
        sings = desk.service.keys.create("sings", ["convert"])
        desk.client.headers["Authorization"] = f"Bearer {sings}"
        refused(openai(desk), 403, "scope_missing")
        desk.client.headers["Authorization"] = f"Bearer {speaks}"
        job = desk.client.post(SYNTHESIZE, json={"text": TEXT, "voice": "kumo"}).json()
        desk.work()
        assert desk.client.get(f"{JOBS}/{job['id']}/result").status_code == 200
        refused(desk.song(), 403, "scope_missing")


def test_who_waits_comes_first(table: JobTable) -> None:
    table.submit(new_job())
    spoken, _ = table.submit(new_job(kind=SPOKEN_NOW))
    lease = table.claim("w1", 30.0)
    assert lease is not None
    assert lease.job.id == spoken.id


def test_samples_as_bytes() -> None:
    assert pcm16(np.array([0, 1, -2, 0.5], np.float32)) == b"\0\0\xff\x7f\x01\x80\x00\x40"


def _ask(
    service: Running, text: str = TEXT
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Ask for pcm; its first sound is there."""
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
    asked = {"model": "m", "input": text, "voice": "kumo", "response_format": "pcm"}
    connection.request("POST", OPENAI, json.dumps(asked), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    return connection, answer


def _spoken(service: Running, kill_after: int | None = None) -> tuple[bytes, list[float]]:
    """Ask for pcm; return it, and when each block came. May kill the worker meanwhile."""
    begun = time.monotonic()
    connection, answer = _ask(service)
    sound, times = b"", []
    while block := answer.read1(1 << 16):
        sound += block
        times.append(time.monotonic() - begun)
        if kill_after is not None and len(sound) >= kill_after:
            kill_after = None
            service.kill("worker-0")
    connection.close()
    return sound, times


def test_sound_comes_while_it_is_made_even_when_the_worker_dies(tmp_path: Path) -> None:
    with running(tmp_path / "d", fake_chunk_s=0.4) as service:
        sound, times = _spoken(service)
        assert len(sound) == 2 * SAMPLES
        assert times[0] < times[-1] - 0.4  # seven pieces of 0.4 s: the first long before the last
        again, _ = _spoken(service, kill_after=2 * 2400)
        assert again == sound


def test_what_ends_early_cannot_be_taken_for_whole(tmp_path: Path) -> None:
    long = TEXT * 20  # a minute's work, which is not waited for
    with running(tmp_path / "d", fake_chunk_s=0.4) as service:
        connection, answer = _ask(service, long)
        assert answer.read(4800)
        (job,) = service.jobs()
        service.request("DELETE", f"{JOBS}/{job}")
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        connection.close()
        connection, answer = _ask(service, long)
        assert answer.read(4800)
        answer.close()
        connection.close()
        service.until(
            lambda: [job["state"] for job in service.jobs().values()] == ["cancelled"] * 2,
            "a caller who goes away leaves no work behind",
        )
