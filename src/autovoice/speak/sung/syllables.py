"""Cut the phonemes of a word into syllables, and fit them to the syllables of a score.

Consonants between two vowels go to the second one as far as words can begin with them (the maximal
onset principle; Kahn 1976), since singers hold the vowel and sing its consonants late.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from autovoice.speak.text.alphabet import STRESS, VOWELS

NUCLEI = VOWELS | {"E"}
UNVOICED = frozenset("ptkfsʃʧθhʦxçcɸɕʈqχʂʨꭧʔSʰ")
_MODIFIERS = "̃ːʰʲ"
_GLIDES = frozenset("jwɥɰʋ")
_LIQUIDS = frozenset("lɹrɾʁɻɽʎʟ")
_NASALS = frozenset("mnɲŋɳɴ")
_NEVER = frozenset("ŋ")
_NO_CLUSTER = frozenset({"tl", "dl", "θl"})
_AFTER_S = frozenset("ptkmnfq")
# Of other languages than English: a weak i or u after a vowel belongs to it.
_OFF_GLIDES = frozenset("ɪʊ")
_WEAKEST = ("ᵊ", "ə", "ɐ", "ᵻ")


@dataclass(frozen=True)
class Syllable:
    """One syllable in Kokoro's phonemes.

    Args:
        onset: consonants before the vowel.
        nucleus: the vowel, with its stress mark before and its signs after it.
        coda: what follows.
    """

    onset: str
    nucleus: str
    coda: str = ""

    @property
    def vowel(self) -> str:
        """The bare vowel."""
        return self.nucleus.lstrip(STRESS)[:1]

    @property
    def strength(self) -> int:
        """How readily it keeps a note of its own: stress counts most, a schwa least."""
        if "ˈ" in self.nucleus:
            return 4
        if "ˌ" in self.nucleus:
            return 3
        if self.vowel in _WEAKEST:
            return min(_WEAKEST.index(self.vowel), 1)
        return 2


def syllables(phonemes: str, language: str = "en-us") -> list[Syllable]:
    """Return the syllables of one word.

    Args:
        phonemes: Kokoro's, without spaces and punctuation.
        language: tells which consonants begin words, and which vowels are one. Default "en-us".

    Returns:
        One for each vowel; a word without any (``ʃ``) is one syllable with its last sound held.

    >>> [s.onset + s.nucleus + s.coda for s in syllables("əmˈAzɪŋ")]
    ['ə', 'mˈA', 'zɪŋ']
    """
    nuclei = _nuclei(phonemes, language)
    if not nuclei:
        return [Syllable(phonemes[:-1], phonemes[-1:])] if phonemes else []
    cuts = [0]
    for (_, end), (begin, _) in pairwise(nuclei):
        between = phonemes[end:begin]
        cuts.append(begin - len(_onset(between, language)))
    cuts.append(len(phonemes))
    found = []
    for place, (begin, end) in enumerate(nuclei):
        onset = phonemes[cuts[place] : begin]
        found.append(Syllable(onset, phonemes[begin:end], phonemes[end : cuts[place + 1]]))
    return found


def _nuclei(phonemes: str, language: str) -> list[tuple[int, int]]:
    """Return where each vowel begins (with its stress mark) and ends (with its signs)."""
    found: list[tuple[int, int]] = []
    for match in re.finditer(f"[{STRESS}]?[{''.join(sorted(NUCLEI))}][{_MODIFIERS}]*", phonemes):
        glides = match[0][0] in _OFF_GLIDES and not language.startswith("en")
        if glides and found and found[-1][1] == match.start():
            found[-1] = (found[-1][0], match.end())
        else:
            found.append(match.span())
    return found


def _onset(consonants: str, language: str) -> str:
    """Return the longest end of a run of consonants that a word can begin with."""
    sounds = re.findall(f".[{_MODIFIERS}]*", consonants)
    onset: list[str] = []
    for sound in reversed(sounds):
        if onset and not _clusters(sound, onset, language):
            break
        if sound[0] in _NEVER or sound[0] in STRESS:
            break
        onset.insert(0, sound)
    return "".join(onset)


def _clusters(sound: str, onset: Sequence[str], language: str) -> bool:
    """Whether a consonant can stand before an onset."""
    first, second = sound[0], onset[0][0]
    if len(sound) > 1 or first == second or first in _NEVER or first in _GLIDES:
        return False
    if second in _GLIDES:
        return len(onset) == 1 and (first not in _LIQUIDS or not language.startswith("en"))
    if first == "s" and second in _AFTER_S:
        return not language.startswith("es")
    obstruent = first not in _LIQUIDS | _NASALS
    return (
        obstruent and second in _LIQUIDS and len(onset) == 1 and first + second not in _NO_CLUSTER
    )


def fitted(found: Sequence[Syllable], wanted: int) -> list[Syllable]:
    """Return at most as many syllables as a score has for a word.

    Where the word has more, the weakest one joins its neighbour before it (the first one the
    neighbour after it) until they fit: the stronger vowel is held, the other is said beside it.
    Where it has fewer, fewer come back: the last one is held over what is left.

    Args:
        found: of the word, at least one.
        wanted: how many the score has, at least 1.

    >>> [s.onset + s.nucleus + s.coda for s in fitted(syllables("hˈɛvᵊn"), 1)]
    ['hˈɛvᵊn']
    """
    left = list(found)
    while len(left) > wanted:
        place = min(range(len(left)), key=lambda k: (left[k].strength, -k))
        other = max(place, 1)
        left[other - 1 : other + 1] = [_merged(left[other - 1], left[other])]
    return left


def _merged(one: Syllable, other: Syllable) -> Syllable:
    if other.strength > one.strength:
        return replace(other, onset=one.onset + one.nucleus + one.coda + other.onset)
    return replace(one, coda=one.coda + other.onset + other.nucleus + other.coda)


def with_mute_e(found: Sequence[Syllable], written: str) -> list[Syllable]:
    """Return the syllables of a French word whose silent e has a note of its own.

    Args:
        found: as spoken.
        written: the last syllable of the score (``re`` of Frère).
    """
    last = found[-1]
    if not re.search("(?:e|es|ent)$", written.lower()) or not (last.coda or found[1:]):
        return list(found)
    return [*found[:-1], replace(last, coda=""), Syllable(last.coda, "ə")]
