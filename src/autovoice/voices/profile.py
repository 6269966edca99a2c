"""A voice: what the decoder needs to know of a singer, and the record of where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from autovoice.types import AdapterArrays, Audio, FloatArray, Speaker
from autovoice.voices.training import TrainingRecord

FORMAT_VERSION = 1
# The layout with a record of training: older programs refuse it rather than sing it untrained.
TRAINED_FORMAT_VERSION = 2
STYLE_SIZE = 128
EMBEDDING_SIZE = 256
Text = Annotated[str, Field(max_length=2000)]


class VoiceHeader(BaseModel):
    """The record that a voice carries.

    Args:
        format_version: layout of the file.
        name: what the voice is called.
        description: free words, for lists.
        sample_count: recordings that the voice was made from.
        seconds_used: their length together, seconds.
        consent: the statement by which the speaker agreed; empty when none is recorded.
        consent_date: ISO date of that statement, or empty.
        licence: what others may do with the voice.
        base_model_id, base_model_sha256: the model that the style vector belongs to.
        f0_median_hz, f0_low_hz, f0_high_hz: median, 5th and 95th percentile of the voiced pitch.
        training: how the voice was trained; None when it was not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format_version: int = FORMAT_VERSION
    name: Annotated[str, Field(min_length=1, max_length=64)]
    description: Text = ""
    sample_count: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    seconds_used: Annotated[FiniteFloat, Field(ge=0.0)] = 0.0
    consent: Text = ""
    consent_date: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
    licence: Text = ""
    base_model_id: Text = ""
    base_model_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    f0_median_hz: Annotated[FiniteFloat, Field(ge=0.0, le=4000.0)] = 0.0
    f0_low_hz: Annotated[FiniteFloat, Field(ge=0.0, le=4000.0)] = 0.0
    f0_high_hz: Annotated[FiniteFloat, Field(ge=0.0, le=4000.0)] = 0.0
    training: TrainingRecord | None = None


@dataclass(frozen=True, eq=False)
class Voice:
    """A voice that sings and speaks.

    Args:
        header: the record.
        style: ``[128]`` float32, the decoder's timbre vector.
        embedding: ``[256]`` float32, unit length, the speaker embedding of the recordings.
        adapter: what training added to the networks, by name (see ``nn.low_rank``), float16 or
            float32; empty when the voice was not trained.
    """

    header: VoiceHeader
    style: FloatArray
    embedding: FloatArray
    adapter: AdapterArrays = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the voice is called."""
        return self.header.name

    @property
    def speaker(self) -> Speaker:
        """The part that stages read."""
        return Speaker(
            style=self.style,
            embedding=self.embedding,
            f0_median_hz=self.header.f0_median_hz,
            f0_low_hz=self.header.f0_low_hz,
            f0_high_hz=self.header.f0_high_hz,
            adapter=self.adapter,
        )

    def renamed(self, name: str) -> Voice:
        """Return the same voice under another name."""
        from autovoice.voices.names import check_name

        header = self.header.model_copy(update={"name": check_name(name)})
        return Voice(header, self.style, self.embedding, self.adapter)

    def save(self, path: str | Path) -> Path:
        """Write a ``.voice`` file (atomically) and return its path."""
        from autovoice.voices.file import write_voice

        return write_voice(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> Voice:
        """Read a ``.voice`` file.

        Raises:
            VoiceError: the file is missing, damaged or no voice.
        """
        from autovoice.voices.file import read_voice

        return read_voice(Path(path))

    @staticmethod
    def from_audio(
        recordings: str | Path | Audio | Sequence[str | Path | Audio],
        *,
        name: str = "voice",
        consent: str = "",
        licence: str = "",
        device: str = "cpu",
    ) -> Voice:
        """Make a voice from recordings of one person.

        Args:
            recordings: one or more files or ``Audio``, together at least 3 s of voice.
            name: what to call it. Default ``voice``.
            consent: the statement by which the speaker agreed. Default none.
            licence: what others may do with the voice. Default none.
            device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.

        Raises:
            VoiceError: too little voice in the recordings.
            InputError: a recording cannot be read.
        """
        from autovoice.voices.encoders import encoders_on
        from autovoice.voices.make import make_voice

        return make_voice(
            recordings,
            encoders=encoders_on(device),
            name=name,
            consent=consent,
            licence=licence,
        )
