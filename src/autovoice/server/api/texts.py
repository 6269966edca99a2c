"""From a text to a job: what may be asked of speech, and what is refused before there is a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool

from autovoice.engine.speaking import checked_text
from autovoice.errors import InputError, VoiceError
from autovoice.server.api import intake
from autovoice.server.api.schemas import AudioFormat, Flag, Seed, body_hash, parse
from autovoice.server.api.service import Service
from autovoice.server.filetable import StoredFile, new_file
from autovoice.server.jobs import Job, NewJob
from autovoice.server.keys import Caller
from autovoice.speak.text.readers import checked_language

SpokenFormat = Literal["mp3", "opus", "flac", "wav", "pcm"]
# JSON may write a character as two escapes of six bytes.
BYTES_A_CHARACTER, MORE_BYTES = 12, 16 << 10
# Faster than anybody speaks, so that a quota never refuses what would have fitted.
CHARACTERS_A_SECOND = 25.0
SHOWN_CHARACTERS = 40


class SpeechRequest(BaseModel):
    """How to speak a text.

    Args:
        text: what to say, plain or SSML.
        voice: a built-in voice or one of yours.
        language: of the text, such as ``en-us``.
        speed: factor on the rate of speech, 0.5 to 2; the pitch stays.
        format: of the result.
        ssml: whether the text is markup; left out to look.
        seed: of every random number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    voice: Annotated[str, Field(min_length=1, max_length=64)]
    language: Annotated[str, Field(min_length=1, max_length=32)] = "en-us"
    speed: Annotated[float, Field(ge=0.5, le=2.0, allow_inf_nan=False)] = 1.0
    format: AudioFormat = "flac"
    ssml: Flag | None = None
    seed: Seed = 0


def _encodable(value: object) -> object:
    if isinstance(value, str) and value.lower() == "aac":
        raise PydanticCustomError(
            "no_encoder", "aac cannot be encoded here; take mp3, opus, flac, wav or pcm"
        )
    return value


class OpenAiSpeech(BaseModel):
    """What OpenAI's clients send.

    Args:
        model: any; there is one.
        input: what to say.
        voice: a built-in voice or one of yours; OpenAI's names are not known here.
        response_format: of the answer; ``pcm`` is 16 bits, mono, 24 kHz.
        speed: factor on the rate of speech, 0.5 to 2.
        language: of the text; an addition to OpenAI's fields.
        instructions: not supported; empty or left out.
        stream_format: ``audio``; events are not supported.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(max_length=200)]
    input: str
    voice: Annotated[str, Field(min_length=1, max_length=64)]
    response_format: Annotated[SpokenFormat, BeforeValidator(_encodable)] = "mp3"
    speed: Annotated[float, Field(ge=0.5, le=2.0, allow_inf_nan=False)] = 1.0
    language: Annotated[str, Field(min_length=1, max_length=32)] = "en-us"
    instructions: Literal["", None] = None
    stream_format: Literal["audio", None] = None

    def options(self) -> dict[str, Any]:
        """Return the same as the request of a job."""
        return {
            "voice": self.voice,
            "language": self.language,
            "speed": self.speed,
            "format": self.response_format,
            "ssml": None,
            "seed": 0,
        }


def most_bytes(service: Service) -> int:
    """Return how long the body of a request for speech may be."""
    return BYTES_A_CHARACTER * service.settings.max_text_characters + MORE_BYTES


def parse_speech(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text and the options of ``/api/v1/synthesize``.

    Raises:
        ApiError: 422, naming each field that is wrong.
    """
    asked = parse(SpeechRequest, values)
    return asked.text, asked.model_dump(exclude={"text"})


def parse_openai(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text and the options of ``/v1/audio/speech``.

    Raises:
        ApiError: 422, naming each field that is wrong.
    """
    asked = parse(OpenAiSpeech, values)
    return asked.input, asked.options()


async def accept(
    service: Service,
    caller: Caller,
    kind: str,
    asked: tuple[str, dict[str, Any]],
    key: str | None = None,
) -> Job:
    """Make a job of a text, or find the one that the same key accepted before.

    Args:
        service: whose job it is.
        caller: who asks.
        kind: ``speech`` or ``speech.stream``.
        asked: text and options.
        key: the caller's idempotency key, if any.

    Raises:
        InputError, VoiceError: the text, the language or the voice cannot be used.
        QueueFull, QuotaExceeded, IdempotencyConflict: as for songs.
    """
    text, options = asked
    _check(text, str(options["language"]), service.settings.max_text_characters)
    await _check_voice(service, caller, str(options["voice"]))
    await run_in_threadpool(service.check_storage)
    stored = await run_in_threadpool(_received, service, caller.id, text)
    new = NewJob(
        owner=caller.id,
        kind=kind,
        request={**options, "characters": len(text), "name": _excerpt(text)},
        files=[stored.id],
        folder=service.store.new_job_folder(),
        audio_s=len(text) / CHARACTERS_A_SECOND / float(options["speed"]),
        idempotency_key=key,
        body_hash=None if key is None else body_hash(kind, options, [stored.sha256]),
    )
    job, _ = await intake.submit(service, new, [stored])
    return job


def _check(text: str, language: str, most: int) -> None:
    if len(text) > most:
        raise InputError(f"text: found {len(text)} characters, expected at most {most}; split it")
    checked_text(text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"text: found half a character at place {error.start}; send whole ones"
        ) from None
    checked_language(language)


async def _check_voice(service: Service, caller: Caller, voice: str) -> None:
    if service.settings.engine == "fake":
        return
    if not await run_in_threadpool(service.voices.has, voice, caller.id):
        raise VoiceError(
            f"voice {voice!r}: no such voice; GET /api/v1/voices lists those that you may use"
        )


def _received(service: Service, owner: str, text: str) -> StoredFile:
    with service.store.receive() as part:
        part.write(text.encode("utf-8"))
        return new_file(owner, part.keep(), "text.txt", None, service.clock())


def _excerpt(text: str) -> str:
    return " ".join(text[: 4 * SHOWN_CHARACTERS].split())[:SHOWN_CHARACTERS]
