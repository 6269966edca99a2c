"""What a trained voice tells about its training, and which voice model it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from autovoice.errors import VoiceError

if TYPE_CHECKING:
    from autovoice.voices.profile import Voice

Share = Annotated[FiniteFloat, Field(ge=-1.0, le=1.0)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Seconds = Annotated[FiniteFloat, Field(ge=0.0)]


class Scores(BaseModel):
    """What the held-out recordings read when they are converted to the voice.

    Args:
        similarity: cosine of speaker embeddings, conversions against the training recordings.
        cer: character error rate against the transcript of the recordings; None where nobody
            listened or no words were heard.
        words_gap: one minus the cosine of the recogniser's features, conversions against
            recordings; stands for ``cer`` where that is None.
        distillmos: predicted opinion, 1 to 5; None without the ``eval`` extra.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    similarity: Share
    cer: Annotated[FiniteFloat, Field(ge=0.0)] | None = None
    words_gap: Annotated[FiniteFloat, Field(ge=0.0, le=2.0)]
    distillmos: Annotated[FiniteFloat, Field(ge=0.0, le=6.0)] | None = None


class TrainingRecord(BaseModel):
    """The record of a voice's training, kept in its file.

    Args:
        voice_model_sha256: the voice model that it was trained for.
        date: ISO date.
        seconds_trained, seconds_held_out: of recordings that were learnt from, and kept apart.
        steps, best_step: run, and of the state that was kept; 0 is the voice untrained.
        strength: of what was trained, as it is applied, 0 to 1.
        minutes: that training took.
        device: ``cpu`` or ``cuda``.
        judge: who measured the similarity, ``resemblyzer`` or ``ge2e``.
        before, after: the untrained voice and the kept one.
        recordings: the held-out recordings themselves: what could at best be reached.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    voice_model_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    seconds_trained: Seconds
    seconds_held_out: Seconds
    steps: Count
    best_step: Count
    strength: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)] = 1.0
    minutes: Seconds
    device: Annotated[str, Field(pattern=r"^(cpu|cuda)$")]
    judge: Annotated[str, Field(pattern=r"^(resemblyzer|ge2e)$")]
    before: Scores
    after: Scores
    recordings: Scores


def check_base(voice: Voice) -> Voice:
    """Return ``voice`` if the voice model at hand is the one that it was trained for.

    What training adds to one voice model is noise in another, so such a voice is refused rather
    than sung wrong.

    Raises:
        VoiceError: it was trained for another voice model.
    """
    training = voice.header.training
    if training is None and not voice.adapter:
        return voice
    from autovoice import weights

    found = training.voice_model_sha256 if training else ""
    expected = weights.voice_model_sha256()
    if found != expected:
        raise VoiceError(
            f"the voice {voice.name!r} was trained for another voice model "
            f"({found[:12] or 'none recorded'}, this version has {expected[:12]}); train it again "
            "from its recordings: autovoice voice train NAME FILES... --force"
        )
    return voice
