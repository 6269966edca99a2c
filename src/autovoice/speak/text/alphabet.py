"""Kokoro's phonemes: what they are, how to check them, how IPA turns into them.

Kokoro writes a diphthong as one capital (``A`` for eɪ), an affricate as one letter (``ʧ``), and a
stress mark before the vowel, not before the syllable. Facts: Kokoro-82M's vocabulary and
misaki's notes on its phonemes (hexgrad, Apache-2.0).
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from autovoice.errors import InputError

VOWELS = frozenset("aeiouyɑɐɒæɔəɚɛɜɨɪɯøœʊʌɤAIOQWYᵊᵻ")
PUNCTUATION = frozenset(";:,.!?—…")
STRESS = "ˈˌ"
_COMMON = (
    ("t͡s", "ʦ"), ("d͡z", "ʣ"), ("t͡ʃ", "ʧ"), ("d͡ʒ", "ʤ"), ("t͡ɕ", "ʨ"), ("d͡ʑ", "ʥ"),
    ("ʈ͡ʂ", "ꭧ"), ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("g", "ɡ"), (":", "ː"), ("'", "ˈ"), ("ʼ", ""),
    ("ɫ", "l"), ("ʀ", "ʁ"), ("ɦ", "h"), ("ɱ", "m"), ("ʉ", "u"), ("ʏ", "y"), ("ɵ", "ø"),
    ("ɘ", "ə"), ("ɶ", "œ"), ("ʑ", "ʒ"), ("ʐ", "ʒ"), ("ɭ", "l"), ("ħ", "h"), ("ħ", "h"),
)  # fmt: skip
_DIPHTHONGS = (
    ("eɪ", "A"), ("aɪ", "I"), ("oʊ", "O"), ("əʊ", "Q"), ("aʊ", "W"), ("ɔɪ", "Y"),
)  # fmt: skip
_AMERICAN = (
    ("l̩", "ᵊl"), ("n̩", "ᵊn"), ("m̩", "ᵊm"), ("ɝː", "ɜɹ"), ("ɜːɹ", "ɜɹ"), ("ɝ", "ɜɹ"), ("ɚ", "əɹ"),
    ("r", "ɹ"), ("ɾ", "T"), ("ː", ""), ("ʔ", "t"), ("ɐ", "ə"), ("ɒ", "ɑ"), ("x", "k"),
)  # fmt: skip
# A tie below, a syllable dot, the mark of no syllable, tone bars and the like carry nothing here.
_DROPPED = re.compile("[.‿͜͡\u032f\u0329\u032a\u031a\u0306\u0325\u0324\u0330\u2040˞]")


@functools.cache
def vocabulary() -> Mapping[str, int]:
    """Return every symbol that Kokoro knows with its number, 1 to 177."""
    path = Path(__file__).with_name("alphabet.json")
    numbers: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["vocabulary"]
    return MappingProxyType(numbers)


def checked(phonemes: str, where: str) -> str:
    """Return ``phonemes`` when each is one of Kokoro's and at least one is a sound.

    Args:
        phonemes: in Kokoro's alphabet.
        where: what they belong to, for the message.

    Raises:
        InputError: a symbol is unknown, or there is nothing to say.
    """
    unknown = sorted({symbol for symbol in phonemes if symbol not in vocabulary()})
    if unknown:
        named = ", ".join(f"{symbol!r} (U+{ord(symbol):04X})" for symbol in unknown)
        raise InputError(
            f"{where}: found the unknown phoneme {named}; expected Kokoro's alphabet, that is "
            f"{''.join(s for s in vocabulary() if s.isalpha())}; docs/speak-text.md lists it"
        )
    if not any(symbol.isalpha() for symbol in phonemes):
        raise InputError(f"{where}: found {phonemes!r}, expected at least one phoneme")
    return phonemes


def from_ipa(ipa: str, *, english: bool = True) -> str:
    """Turn IPA into Kokoro's alphabet; what it cannot turn is left for :func:`checked`.

    Args:
        ipa: International Phonetic Alphabet, with or without ties and syllable dots.
        english: read ``r`` as the English one, lengths as none, and untied diphthongs as such.
            Default true.
    """
    text = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç").strip("/[] ")
    for old, new in _COMMON:
        text = text.replace(unicodedata.normalize("NFD", old), new)
    for old, new in _DIPHTHONGS:
        first, second = old[0], old[1]
        # Other languages have the two vowels side by side: there only a tie makes a diphthong.
        text = text.replace(f"{first}͡{second}", new)
        text = text.replace(old, new) if english else text
    for old, new in _AMERICAN if english else ():
        text = text.replace(old, new)
    return stress_before_vowels(_DROPPED.sub("", text))


def stress_before_vowels(phonemes: str) -> str:
    """Move each stress mark from before its syllable to before its vowel."""
    consonants = "[^" + "".join(sorted(VOWELS)) + STRESS + r"\s]*"
    return re.sub(f"([{STRESS}])({consonants})(?=[{''.join(sorted(VOWELS))}])", r"\2\1", phonemes)
