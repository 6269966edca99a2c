"""The score summary that comes with each conversion."""

from __future__ import annotations

from autovoice.analyse.speaker import SpeakerEncoder
from autovoice.eval.dio import dio
from autovoice.eval.length import length_error_samples
from autovoice.eval.part import MOST_S, cut, most_active_part
from autovoice.eval.pitch import Tracker, pitch_score
from autovoice.eval.similarity import similarity_score
from autovoice.types import Audio, FloatArray, ScoreCard


def score(
    output: Audio,
    source_vocal: Audio,
    reference: Audio | FloatArray,
    semitones: int,
    *,
    encoder: SpeakerEncoder | None = None,
    tracker: Tracker = dio,
    most_s: float = MOST_S,
) -> ScoreCard:
    """Judge a conversion by pitch, similarity and length.

    Args:
        output: the converted vocal.
        source_vocal: the vocal that it was made of.
        reference: a recording of the target, or its speaker embedding, ``[256]``.
        semitones: the shift that was applied.
        encoder: the speaker encoder; by default one is made on the CPU.
        tracker: finds F0. Default ``dio``, so that the summary costs little; the protocol's own
            judge is ``harvest``, thirty times slower.
        most_s: of a longer vocal only the most active stretch of this length is judged for
            pitch and similarity. Default 60.

    Returns:
        A card with None where a measure does not apply (nothing voiced, silence).

    Raises:
        WeightsError: the speaker encoder's weights cannot be had.
    """
    span = most_active_part(source_vocal, most_s)
    ours, theirs = cut(output, *span), cut(source_vocal, *span)
    if isinstance(reference, Audio):
        reference = cut(reference, *most_active_part(reference, most_s))
    pitch = pitch_score(ours, theirs, semitones, tracker=tracker)
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
