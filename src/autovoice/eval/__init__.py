"""Judge a conversion: one measure per file."""

from autovoice.eval.cer import character_error_rate
from autovoice.eval.dio import dio
from autovoice.eval.harvest import harvest
from autovoice.eval.length import length_error_samples
from autovoice.eval.part import cut, most_active_part
from autovoice.eval.pitch import PitchScore, pitch_score
from autovoice.eval.similarity import SimilarityScore, similarity_score
from autovoice.eval.summary import score
from autovoice.eval.words import Transcriber, Transcript, words_score

__all__ = [
    "PitchScore",
    "SimilarityScore",
    "Transcriber",
    "Transcript",
    "character_error_rate",
    "cut",
    "dio",
    "harvest",
    "length_error_samples",
    "most_active_part",
    "pitch_score",
    "score",
    "similarity_score",
    "words_score",
]
