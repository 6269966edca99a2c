"""When each phoneme is sung: vowels are held from their notes on, consonants go around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autovoice.speak.sung.phrases import CLOSED_S, Phrase
from autovoice.speak.sung.tokens import Token

# Consonants take at most this share of a note, or of a rest.
CONSONANT_SHARE = 0.45
REST_SHARE = 0.8
# Of a note at the very beginning, where nothing lies before it.
FIRST_SHARE = 0.4
LONGEST_CONSONANT_S = 0.2
LEAST_CONSONANT_S = 0.03

Spans = NDArray[np.float64]


@dataclass
class _Group:
    """The sounds of one syllable by their numbers, and how long the consonants would like to be."""

    onset: list[int]
    nucleus: list[int]
    coda: list[int]
    onset_s: float = 0.0
    coda_s: float = 0.0


def token_spans(phrase: Phrase, tokens: Sequence[Token], spoken_s: NDArray[np.float64]) -> Spans:
    """Return when each phoneme begins and ends.

    Args:
        phrase: the notes.
        tokens: of the phrase.
        spoken_s: ``[N]`` how long each would be in speech, seconds.

    Shape:
        ``[N, 2]`` seconds in the output, in order; marks have no length.
    """
    lengths = _wanted(tokens, spoken_s)
    groups = _groups(phrase, tokens, lengths)
    spans = np.zeros((len(tokens), 2))
    for place, group in enumerate(groups):
        sung = phrase.sung[place]
        start_s, end_s = sung.start_s, sung.end_s
        before_s = start_s - (phrase.sung[place - 1].end_s if place else -1e9)
        onset_s = group.onset_s
        if not place:
            onset_s = min(onset_s, start_s + FIRST_SHARE * (end_s - start_s))
            # Nothing can be sung before the beginning of the score.
            start_s = max(start_s, onset_s)
        elif before_s > CLOSED_S:
            onset_s = min(onset_s, REST_SHARE * before_s)
        else:
            onset_s = min(onset_s, _room(groups, phrase, place - 1)[1])
        coda_s, next_s = _room(groups, phrase, place)
        vowel_end_s = end_s - coda_s - next_s
        _spread(spans, group.onset, lengths, start_s - onset_s, start_s)
        _hold(spans, group.nucleus, lengths, start_s, vowel_end_s)
        _spread(spans, group.coda, lengths, vowel_end_s, vowel_end_s + coda_s)
    return _filled(spans, tokens)


def _wanted(tokens: Sequence[Token], spoken_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how long each sound would like to be; vowels take what is left, marks nothing."""
    lengths = np.clip(spoken_s, LEAST_CONSONANT_S, LONGEST_CONSONANT_S)
    lengths[[token.role in ("mark", "rest", "vowel") for token in tokens]] = 0.0
    return lengths


def _groups(phrase: Phrase, tokens: Sequence[Token], lengths: NDArray[np.float64]) -> list[_Group]:
    groups = [_Group([], [], []) for _ in phrase.sung]
    for number, token in enumerate(tokens):
        group = groups[token.syllable]
        if token.role == "onset":
            group.onset.append(number)
            group.onset_s += lengths[number]
        elif token.role in ("vowel", "sign"):
            group.nucleus.append(number)
        elif token.role == "coda":
            group.coda.append(number)
            group.coda_s += lengths[number]
    return groups


def _room(groups: Sequence[_Group], phrase: Phrase, place: int) -> tuple[float, float]:
    """Return what a syllable gives of its time to its coda and to the onset after it, seconds."""
    sung, group = phrase.sung[place], groups[place]
    next_s = 0.0
    if place + 1 < len(groups) and phrase.sung[place + 1].start_s - sung.end_s <= CLOSED_S:
        next_s = groups[place + 1].onset_s
    wanted_s = group.coda_s + next_s
    if wanted_s <= 0:
        return 0.0, 0.0
    # Most of it out of the last note, so that the one before is not lost in a melisma.
    least_s = sung.notes[-1].seconds if len(sung.notes) > 1 else sung.end_s - sung.start_s
    scale = min(1.0, CONSONANT_SHARE * least_s / wanted_s)
    return group.coda_s * scale, next_s * scale


def _spread(
    spans: Spans, numbers: Sequence[int], lengths: NDArray[np.float64], begin_s: float, end_s: float
) -> None:
    """Lay sounds over a stretch in proportion to their lengths."""
    if not numbers:
        return
    edges = np.concatenate([[0.0], np.cumsum(lengths[list(numbers)])])
    edges = begin_s + edges / edges[-1] * (end_s - begin_s)
    for place, number in enumerate(numbers):
        spans[number] = edges[place], edges[place + 1]


def _hold(
    spans: Spans, held: Sequence[int], lengths: NDArray[np.float64], begin_s: float, end_s: float
) -> None:
    """Lay a vowel over a stretch: the signs after it take their time, the vowel the rest.

    ``lengths`` is 0 for a vowel; stress marks have none either and are no part of it.
    """
    signs_s = min(float(lengths[list(held)].sum()), 0.5 * (end_s - begin_s))
    vowels = sum(1 for number in held if not lengths[number])
    scale = signs_s / max(float(lengths[list(held)].sum()), 1e-9)
    each_s = (end_s - begin_s - signs_s) / max(vowels, 1)
    at_s = begin_s
    for number in held:
        long_s = float(lengths[number]) * scale if lengths[number] else each_s
        spans[number] = at_s, at_s + long_s
        at_s += long_s


def _filled(spans: Spans, tokens: Sequence[Token]) -> Spans:
    """Let rests fill the gaps, and put marks where they take no time."""
    sounding = [n for n, token in enumerate(tokens) if token.role not in ("mark", "rest")]
    at_s, following = spans[sounding[0], 0], iter(sounding)
    ahead = next(following)
    for number, token in enumerate(tokens):
        if number == ahead:
            at_s, ahead = spans[number, 1], next(following, -1)
            continue
        end_s = spans[ahead, 0] if token.role == "rest" else at_s
        spans[number] = at_s, end_s
        at_s = end_s
    return spans
