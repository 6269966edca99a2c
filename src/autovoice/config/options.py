"""What a caller may ask of one conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from autovoice.config.presets import PresetName
from autovoice.config.units import parse_bytes
from autovoice.errors import InputError


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_bytes(value)
    except InputError as error:
        raise ValueError(str(error)) from error


def _semitones(value: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.lstrip("+-").isdecimal() and text.isascii() else value


Steps = Annotated[int, Field(ge=-24, le=24, strict=True)]
Semitones = Annotated[Steps | Literal["auto"], BeforeValidator(_semitones)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")]
ByteCount = Annotated[int, Field(ge=1 << 20, strict=True), BeforeValidator(_bytes)]


class ConvertOptions(BaseModel):
    """Options of a conversion; unknown keys are errors.

    Args:
        semitones: shift of the melody, -24 to 24, or ``auto``: the octave that fits the target.
        separate: take the vocals out of the mix first. Off for a cappella recordings.
        preset: ``fast``, ``balanced`` or ``best``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        vram_bytes: cap on GPU memory, bytes or text such as ``4G``. Default: no cap.
        seed: seed of every random number, 0 to 2^63 - 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    semitones: Semitones = "auto"
    separate: Annotated[bool, Field(strict=True)] = True
    preset: PresetName = "balanced"
    device: Device = "auto"
    vram_bytes: ByteCount | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = 0


class SpeakOptions(BaseModel):
    """Options of speech; unknown keys are errors.

    Args:
        speed: factor on the rate of speech, 0.5 to 2; the pitch stays.
        language: of the text, such as ``en-us``.
        ssml: the text is markup; None to look whether it begins with ``<speak``.
        seed: seed of every random number, 0 to 2^63 - 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: Annotated[float, Field(ge=0.5, le=2.0, allow_inf_nan=False)] = 1.0
    language: Annotated[str, Field(min_length=1, max_length=32, strict=True)] = "en-us"
    ssml: Annotated[bool, Field(strict=True)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = 0


class SingOptions(BaseModel):
    """Options of singing from notes; unknown keys are errors.

    Args:
        language: of the words, such as ``en-us``.
        part: name, identifier or number (from 1) of the part to sing; by default the first one
            with words.
        voice_part: number of a line in that part; by default the one with most words.
        verse: number of the verse; by default the first, and the n-th in the n-th repeat.
        tempo: factor of 0.1 to 4, or quarter notes a minute from 10 on; by default as written.
        semitones: shift of the melody, -24 to 24, or ``auto``: the octave that fits the voice.
        vibrato_cents: how far the vibrato of long notes goes to either side, 0 to 200.
        vibrato_hz: how fast it is, 3 to 9.
        portamento_ms: how long a glide from note to note takes, 0 to 500.
        seed: seed of every random number, 0 to 2^63 - 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Annotated[str, Field(min_length=1, max_length=32, strict=True)] = "en-us"
    part: Annotated[str, Field(max_length=200, strict=True)] = ""
    voice_part: Annotated[str, Field(max_length=200, strict=True)] = ""
    verse: Annotated[int, Field(ge=1, le=9999, strict=True)] | None = None
    tempo: Annotated[float, Field(allow_inf_nan=False)] | None = None
    semitones: Semitones = "auto"
    vibrato_cents: Annotated[float, Field(ge=0, le=200, allow_inf_nan=False)] = 40.0
    vibrato_hz: Annotated[float, Field(ge=3, le=9, allow_inf_nan=False)] = 5.5
    portamento_ms: Annotated[float, Field(ge=0, le=500, allow_inf_nan=False)] = 80.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = 0


Options = TypeVar("Options", ConvertOptions, SpeakOptions, SingOptions)


def options_from(values: Mapping[str, Any]) -> ConvertOptions:
    """Check the options of a conversion and return them.

    Raises:
        InputError: an option is unknown or out of range; the message names each.
    """
    return _checked(ConvertOptions, values)


def speak_options_from(values: Mapping[str, Any]) -> SpeakOptions:
    """Check the options of speech and return them.

    Raises:
        InputError: an option is unknown or out of range; the message names each.
    """
    return _checked(SpeakOptions, values)


def sing_options_from(values: Mapping[str, Any]) -> SingOptions:
    """Check the options of singing from notes and return them.

    Raises:
        InputError: an option is unknown or out of range; the message names each.
    """
    return _checked(SingOptions, values)


def _checked(model: type[Options], values: Mapping[str, Any]) -> Options:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InputError(
            "; ".join(_explain(model, dict(detail)) for detail in error.errors())
        ) from None


def _explain(model: type[BaseModel], detail: Mapping[str, Any]) -> str:
    where = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return f"option {where!r} is unknown; expected one of {known}"
    if where == "semitones":
        return f"semitones: found {detail['input']!r}, expected -24 to 24 or 'auto'"
    if where == "speed":
        return f"speed: found {detail['input']!r}, expected 0.5 to 2"
    return f"{where}: found {detail['input']!r}: {detail['msg']}"
