"""Presets: named trades of time and memory against quality."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from autovoice.errors import InputError

PresetName = Literal["fast", "balanced", "best"]


class Preset(BaseModel):
    """What a preset sets.

    Args:
        chunk_s: longest piece that the voice model sees at once, seconds. Longer pieces hold the
            timbre steadier (the decoder normalises over the whole piece) and need more memory.
        context_s: sound that is computed on both sides of a piece and thrown away, seconds.
        crossfade_s: how long neighbouring pieces are blended, seconds.
        mixed_precision: run the networks in half precision where the device is faster with it.
        own_pass: where the melody stays and the voice is nearly the singer's own, decode the vocal
            in the singer's voice too and carry only what differs; decoding takes twice the time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    chunk_s: float = Field(ge=1.0, le=120.0)
    context_s: float = Field(ge=0.0, le=5.0)
    crossfade_s: float = Field(ge=0.0, le=1.0)
    mixed_precision: bool = False
    own_pass: bool = True


PRESETS: dict[PresetName, Preset] = {
    "fast": Preset(
        chunk_s=12.0, context_s=0.5, crossfade_s=0.05, mixed_precision=True, own_pass=False
    ),
    "balanced": Preset(chunk_s=24.0, context_s=1.0, crossfade_s=0.1),
    "best": Preset(chunk_s=40.0, context_s=2.0, crossfade_s=0.1),
}


def preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        InputError: there is no preset of that name.
    """
    for known in get_args(PresetName):
        if name == known:
            return PRESETS[known]
    raise InputError(f"preset: found {name!r}, expected one of {', '.join(PRESETS)}")
