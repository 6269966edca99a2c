"""Judge a conversion: one measure per file, all of them on one score card.

>>> from autovoice.eval import Scorer
>>> card = Scorer().card(output, source, reference)  # doctest: +SKIP
>>> card.value("pitch_rmse_hz")  # doctest: +SKIP

Names are loaded when they are first used: a table of measures needs no network.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autovoice.eval.cache import Cache, content_hash
    from autovoice.eval.card import Card, Gate, Kind, Melody, Phrase, Recording, Words
    from autovoice.eval.cer import character_error_rate
    from autovoice.eval.dio import dio
    from autovoice.eval.figure import Figure, NotApplicable
    from autovoice.eval.gates import judge, load_gates
    from autovoice.eval.harvest import harvest
    from autovoice.eval.length import length_error_samples
    from autovoice.eval.measures import MEASURES, Measure
    from autovoice.eval.part import cut, most_active_part
    from autovoice.eval.pitch import PitchScore, pitch_score
    from autovoice.eval.scorer import Scorer
    from autovoice.eval.similarity import SimilarityScore, similarity_score
    from autovoice.eval.summary import score
    from autovoice.eval.words import Transcriber, Transcript, words_score

_HOMES = {
    "MEASURES": "measures",
    "Cache": "cache",
    "Card": "card",
    "Figure": "figure",
    "Gate": "card",
    "Kind": "card",
    "Measure": "measures",
    "Melody": "card",
    "NotApplicable": "figure",
    "Phrase": "card",
    "PitchScore": "pitch",
    "Recording": "card",
    "Scorer": "scorer",
    "SimilarityScore": "similarity",
    "Transcriber": "words",
    "Transcript": "words",
    "Words": "card",
    "character_error_rate": "cer",
    "content_hash": "cache",
    "cut": "part",
    "dio": "dio",
    "harvest": "harvest",
    "judge": "gates",
    "length_error_samples": "length",
    "load_gates": "gates",
    "most_active_part": "part",
    "pitch_score": "pitch",
    "score": "summary",
    "similarity_score": "similarity",
    "words_score": "words",
}

__all__ = [
    "MEASURES",
    "Cache",
    "Card",
    "Figure",
    "Gate",
    "Kind",
    "Measure",
    "Melody",
    "NotApplicable",
    "Phrase",
    "PitchScore",
    "Recording",
    "Scorer",
    "SimilarityScore",
    "Transcriber",
    "Transcript",
    "Words",
    "character_error_rate",
    "content_hash",
    "cut",
    "dio",
    "harvest",
    "judge",
    "length_error_samples",
    "load_gates",
    "most_active_part",
    "pitch_score",
    "score",
    "similarity_score",
    "words_score",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'autovoice.eval' has no attribute {name!r}")
    value = getattr(import_module(f"autovoice.eval.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keep ``harvest`` and ``dio`` the functions when the files of those names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
