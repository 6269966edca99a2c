"""OpenAI's own client against a running service."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf
from process_desk import Running, running
from server_desk import IS_CI

if not IS_CI:
    pytest.importorskip("openai", reason="openai is not installed (make setup)")
import openai

TEXT = "The river was cold that morning. " * 20  # seven pieces of the fake engine, 0.1 s each
SECONDS = 0.7


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("openai") / "d") as made:
        yield made


@pytest.fixture
def client(service: Running) -> Iterator[openai.OpenAI]:
    address = f"{service.url}/v1"
    with openai.OpenAI(base_url=address, api_key="none is needed", max_retries=0) as made:
        yield made


@pytest.mark.parametrize("kind", ["mp3", "opus", "flac", "wav"])
def test_it_fetches_sound(client: openai.OpenAI, kind: Any) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice="kumo", input=TEXT, response_format=kind, speed=1.0
    )
    if kind == "wav":  # its head was sent before its length was known
        with wave.open(io.BytesIO(answer.content)) as file:
            sound, rate = file.readframes(1 << 24), file.getframerate()
        assert len(sound) / 2 / rate == pytest.approx(SECONDS)
        return
    decoded, rate = sf.read(io.BytesIO(answer.content))
    assert len(decoded) / rate == pytest.approx(SECONDS, abs=0.1)


def test_it_streams(client: openai.OpenAI, tmp_path: Path) -> None:
    asked = client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="kumo", input=TEXT, response_format="pcm"
    )
    with asked as answer:
        blocks = list(answer.iter_bytes(4800))
    assert sum(map(len, blocks)) == 2 * 24_000 * SECONDS
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="kumo", input="Hello."
    ) as answer:
        answer.stream_to_file(tmp_path / "hello.mp3")
    assert sf.info(tmp_path / "hello.mp3").frames > 0


def test_it_understands_refusals(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as told:
        client.audio.speech.create(model="tts-1", voice="kumo", input="Hi.", response_format="aac")
    assert told.value.code == "invalid_request"
    assert "aac cannot be encoded here" in str(told.value)
    with pytest.raises(openai.InternalServerError) as failed:
        client.audio.speech.create(model="tts-1", voice="poison-input", input="Hello.")
    assert failed.value.code == "unsupported_audio"


def test_keys_are_what_it_sends(tmp_path: Path) -> None:
    with running(tmp_path / "d", auth="required") as service:
        stranger = openai.OpenAI(base_url=f"{service.url}/v1", api_key="av_1_x", max_retries=0)
        with stranger, pytest.raises(openai.AuthenticationError) as told:
            stranger.audio.speech.create(model="tts-1", voice="kumo", input="Hello.")
        assert told.value.code == "unauthorized"
