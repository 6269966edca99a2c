"""The score summary that comes with each conversion."""

from __future__ import annotations

from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.eval.length import length_error_samples
from autovoice.eval.part import MOST_S, cut, most_active_part
from autovoice.eval.pitch import pitch_score
from autovoice.eval.similarity import similarity_score
from autovoice.types import Audio, FloatArray, ScoreCard

# Harvest costs about a tenth of real time per recording and core, so half a song is enough.
_PITCH_SHARE = 0.5
_PITCH_LEAST_S = 6.0
_PITCH_MOST_S = 30.0


def score(
    output: Audio,
    source_vocal: Audio,
    reference: Audio | FloatArray,
    semitones: int,
    *,
    encoder: SpeakerEncoder | None = None,
    most_s: float = MOST_S,
) -> ScoreCard:
    """Judge a conversion by pitch, similarity and length.

    Args:
        output: the converted vocal.
        source_vocal: the vocal that it was made of.
        reference: a recording of the target, or its speaker embedding, ``[256]``.
        semitones: the shift that was applied.
        encoder: the speaker encoder; by default one is made on the CPU.
        most_s: of a longer vocal only the most active stretch of this length is judged for
            similarity, and of that half for pitch (6 s at least, 30 at most). Default 60.

    Returns:
        A card with None where a measure does not apply (nothing voiced, silence).

    Raises:
        WeightsError: the speaker encoder's weights cannot be had.
    """
    span = most_active_part(source_vocal, most_s)
    ours, theirs = cut(output, *span), cut(source_vocal, *span)
    if isinstance(reference, Audio):
        reference = cut(reference, *most_active_part(reference, most_s))
    sung_s = min(max(_PITCH_SHARE * theirs.seconds, _PITCH_LEAST_S), _PITCH_MOST_S)
    sung = most_active_part(theirs, sung_s)
    pitch = pitch_score(cut(ours, *sung), cut(theirs, *sung), semitones)
    alike = similarity_score(ours, theirs, reference, encoder or SpeakerEncoder())
    return ScoreCard(
        pitch_error_cents=pitch.median_cents if pitch else None,
        pitch_within_50_cents=pitch.within_50_cents if pitch else None,
        similarity_target=alike.target,
        similarity_source=alike.source,
        similarity_floor=alike.floor,
        length_error_samples=length_error_samples(output, source_vocal),
        semitones=semitones,
    )
