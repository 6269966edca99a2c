"""The phonemes of a phrase one by one, and what each of them is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autovoice.speak.sung.phrases import CLOSED_S, Phrase
from autovoice.speak.sung.syllables import NUCLEI, UNVOICED
from autovoice.speak.text.alphabet import STRESS

DIPHTHONGS = frozenset("AIOQWY")
Role = Literal["onset", "vowel", "sign", "coda", "rest", "mark"]


@dataclass(frozen=True)
class Token:
    """A phoneme of a phrase.

    Args:
        symbol: in Kokoro's alphabet.
        role: ``vowel`` is held; ``sign`` belongs to it (length, nasality, the end of a diphthong);
            ``rest`` fills a rest; a ``mark`` (stress, space) takes no time.
        syllable: number of its syllable in the phrase.
    """

    symbol: str
    role: Role
    syllable: int

    @property
    def voiced(self) -> bool:
        """Whether it has a pitch."""
        return self.role not in ("rest", "mark") and self.symbol not in UNVOICED


def tokens(phrase: Phrase) -> list[Token]:
    """Return the phonemes of a phrase as the acoustic front reads them."""
    found: list[Token] = []
    for place, sung in enumerate(phrase.sung):
        sounds = sung.sounds
        if place and sung.start_s - phrase.sung[place - 1].end_s > CLOSED_S:
            found.append(Token(phrase.sung[place - 1].stop or ",", "rest", place - 1))
        if place and sung.begins:
            found.append(Token(" ", "mark", place))
        found += [_consonant(symbol, "onset", place) for symbol in sounds.onset]
        found += _nucleus(sounds.nucleus, place)
        found += [_consonant(symbol, "coda", place) for symbol in sounds.coda]
    if phrase.sung[-1].stop:
        found.append(Token(phrase.sung[-1].stop, "mark", len(phrase.sung) - 1))
    return found


def _nucleus(nucleus: str, place: int) -> list[Token]:
    """Return the sounds of a vowel.

    A diphthong is one symbol, whose content is mostly its end; its beginning is in the stress mark
    before it. Singers hold the beginning: so the mark is held, and the symbol said at the end.
    """
    found: list[Token] = []
    for symbol in nucleus:
        role: Role = "mark" if symbol in STRESS else "sign"
        if symbol in DIPHTHONGS and found and found[-1].symbol in STRESS:
            found[-1] = Token(found[-1].symbol, "vowel", place)
        elif symbol in NUCLEI or len(nucleus) == 1:
            role = "vowel"
        found.append(Token(symbol, role, place))
    return found


def _consonant(symbol: str, role: Role, place: int) -> Token:
    return Token(symbol, "mark" if symbol in STRESS else role, place)
