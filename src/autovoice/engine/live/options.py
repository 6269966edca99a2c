"""What can be asked of a live session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autovoice.config.options import Semitones
from autovoice.errors import InputError

MODEL_HZ = 24_000


class LiveOptions(BaseModel):
    """Options of a live session; unknown keys are errors. ``docs/live.md`` has what they cost.

    Args:
        sample_rate_hz: of both directions, 8,000 to 48,000. Default 48,000.
        chunk_ms: length of a chunk, 10 to 2,000. Default 100.
        lookahead_ms: how much later sound the networks see of each chunk, at least the fade and
            the search; it is added to the latency. Default 80.
        context_ms: how much earlier sound they see, 300 to 6,000. Default 1,500.
        render_ms: of the earlier sound, how much the decoder's expensive half renders again with
            each chunk, 50 to 6,000. Default 300.
        fade_ms: cross-fade from chunk to chunk. Default 10.
        search_ms: how far a seam may move to where the waves agree. Default 3.
        semitones: shift of the melody, -24 to 24, or ``auto``: the octave that fits the voice,
            settled in the first seconds of singing. Default ``auto``.
        gate_dbfs: quieter than this is silence. Default -66.
        seed: of the noise for breath and consonants. Default 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate_hz: Annotated[int, Field(ge=8_000, le=48_000, strict=True)] = 48_000
    chunk_ms: Annotated[float, Field(ge=10, le=2_000)] = 100
    lookahead_ms: Annotated[float, Field(ge=2, le=1_000)] = 80
    context_ms: Annotated[float, Field(ge=300, le=6_000)] = 1_500
    render_ms: Annotated[float, Field(ge=50, le=6_000)] = 300
    fade_ms: Annotated[float, Field(ge=1, le=100)] = 10
    search_ms: Annotated[float, Field(ge=0, le=20)] = 3
    semitones: Semitones = "auto"
    gate_dbfs: Annotated[float, Field(ge=-120, le=0)] = -66.0
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = 0

    @model_validator(mode="after")
    def _room_to_fade(self) -> LiveOptions:
        if self.fade_ms + self.search_ms > self.lookahead_ms:
            raise ValueError(
                f"found {self.lookahead_ms:g} ms, expected at least fade_ms + search_ms, "
                f"{self.fade_ms + self.search_ms:g} ms"
            )
        if self.fade_ms > self.chunk_ms:
            raise ValueError(f"fade_ms: found {self.fade_ms:g}, expected at most chunk_ms")
        return self

    @property
    def chunk_samples(self) -> int:
        """Samples of a chunk at the session's rate."""
        return max(1, int(self.sample_rate_hz * self.chunk_ms // 1000))

    def model_samples(self, milliseconds: float) -> int:
        """Return a length in samples at 24 kHz."""
        return round(milliseconds * MODEL_HZ / 1000)


def live_options_from(values: Mapping[str, Any]) -> LiveOptions:
    """Check options and return them.

    Raises:
        InputError: an option is unknown or out of range; the message names each.
    """
    try:
        return LiveOptions.model_validate(dict(values))
    except ValidationError as error:
        known = ", ".join(LiveOptions.model_fields)
        words = [
            f"option {detail['loc'][0]!r} is unknown; expected one of {known}"
            if detail["type"] == "extra_forbidden"
            else f"{detail['loc'][0] if detail['loc'] else 'lookahead_ms'}: {detail['msg']}"
            for detail in error.errors()
        ]
        raise InputError("; ".join(words)) from None
