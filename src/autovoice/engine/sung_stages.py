"""The stages of singing from notes, and where each is built: plain functions, all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autovoice.config import SingOptions
from autovoice.types import Audio, FloatArray, Pitch, Speaker

if TYPE_CHECKING:
    from autovoice.speak.score import Note, Score
    from autovoice.speak.sung.phrases import Lyrics, Phrase


class SungWords(Protocol):
    """Put the words of a score on its notes."""

    def __call__(
        self, score: Score, *, language: str, text: str | None, lexicon: Mapping[str, str] | None
    ) -> Lyrics:
        """Return the phrases."""


class SungPhrase(Protocol):
    """Decide how a phrase is sung."""

    def __call__(
        self, front: Any, phrase: Phrase, speaker: Speaker, options: SingOptions, semitones: int
    ) -> Any:
        """Return what the vocoder reads, see ``speak.sung.front.SungFeatures``."""


def _score(path: Path, options: SingOptions) -> Score:
    from autovoice.speak.score import Choice, read_score

    choice = Choice(options.part, options.voice_part, options.verse, options.tempo)
    return read_score(path, choice)


def _words(
    score: Score, *, language: str, text: str | None, lexicon: Mapping[str, str] | None
) -> Lyrics:
    from autovoice.speak.sung.phrases import phrases

    return phrases(score, language=language, text=text, lexicon=lexicon)


def _phrase(
    front: Any, phrase: Phrase, speaker: Speaker, options: SingOptions, semitones: int
) -> Any:
    from autovoice.speak.sung.front import sung_features
    from autovoice.speak.sung.melody import Expression

    way = Expression(options.vibrato_cents, options.vibrato_hz, options.portamento_ms)
    return sung_features(
        front, phrase, speaker, semitones=semitones, expression=way, seed=options.seed
    )


def _even(samples: FloatArray, vowels_s: Any, sample_rate_hz: int) -> FloatArray:
    from autovoice.speak.sung.levels import evened

    return evened(samples, vowels_s, sample_rate_hz)


def _melody(score: Score) -> Pitch:
    from autovoice.speak.sung.front import score_pitch

    return score_pitch(score.notes)


def _folds(note: Note, semitones: int) -> bool:
    from autovoice.speak.sung.front import within_reach

    return within_reach(note, semitones).key != note.key + semitones


def _accompany(vocal: Audio, backing: Audio) -> Audio:
    from autovoice.mix.accompany import accompany

    return accompany(vocal, backing)


@dataclass(frozen=True)
class SungBuilders:
    """Who does what of singing from notes."""

    score: Callable[[Path, SingOptions], Score] = _score
    words: SungWords = _words
    phrase: SungPhrase = _phrase
    even: Callable[[FloatArray, Any, int], FloatArray] = _even
    melody: Callable[[Score], Pitch] = _melody
    folds: Callable[[Note, int], bool] = _folds
    accompany: Callable[[Audio, Audio], Audio] = _accompany
