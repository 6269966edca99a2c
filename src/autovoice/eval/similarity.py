"""How near the output is to the target voice, and how far from the source's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autovoice.errors import InputError
from autovoice.types import Audio, FloatArray


class VoiceEncoder(Protocol):
    """Embeds voices: ``Resemblyzer``, or ``SpeakerEncoder``, which does without the extra."""

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """Return the embedding of a recording, ``[T]`` -> ``[256]``; InputError in silence."""


@dataclass(frozen=True)
class SimilarityScore:
    """Cosines of speaker embeddings; None where one of the two holds no voice.

    Args:
        target: output against the reference.
        source: output against the source vocal; a conversion makes it fall.
        floor: source vocal against the reference: what doing nothing would read.
    """

    target: float | None
    source: float | None
    floor: float | None


def similarity_score(
    output: Audio,
    source: Audio | FloatArray,
    reference: Audio | FloatArray,
    encoder: VoiceEncoder,
) -> SimilarityScore:
    """Compare three voices by their GE2E embeddings.

    Args:
        output: the converted vocal.
        source, reference: the source vocal and a recording of the target, or their embeddings,
            ``[256]``. The embedding of a stored voice is the ``SpeakerEncoder``'s.
        encoder: what embeds; the card's is ``Resemblyzer``.

    Source: the measure is Resemblyzer's cosine, as the field reports it.
    """
    ours, theirs, wanted = (embedding(each, encoder) for each in (output, source, reference))
    return SimilarityScore(cosine(ours, wanted), cosine(ours, theirs), cosine(theirs, wanted))


def embedding(audio: Audio | FloatArray, encoder: VoiceEncoder) -> FloatArray | None:
    """Return the embedding of a recording, None when no voice is in it; an embedding stays."""
    if not isinstance(audio, Audio):
        return audio
    try:
        return encoder.embed(audio.mono(), audio.sample_rate_hz)
    except InputError:
        return None


def cosine(one: FloatArray | None, other: FloatArray | None) -> float | None:
    """Return the cosine of two vectors, None when one is missing or zero."""
    if one is None or other is None:
        return None
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.dot(one, other)) / lengths if lengths > 0.0 else None
