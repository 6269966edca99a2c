"""Words that no dictionary lists but whose parts it does: endings, beginnings, compounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Sound = Callable[[str], str | None]
SHORTEST_STEM = 4
_SIBILANT, _VOICELESS = "szʃʒʧʤ", "ptkfθ"
_VOICELESS_ENDS = "pkfθʃsʧ"
_FLAP_AFTER = "AIOWYiuæɑəɛɪɹʊʌ"
_PREFIXES = {
    "un": "ˌʌn", "re": "ɹˌi", "non": "nˌɑn", "over": "ˌOvəɹ", "under": "ˌʌndəɹ", "mis": "mˌɪs",
    "pre": "pɹˌi", "anti": "ˌæntI", "super": "sˌupəɹ", "inter": "ˌɪntəɹ", "micro": "mˌIkɹO",
    "multi": "mˌʌlti", "semi": "sˌɛmi", "sub": "sˌʌb", "counter": "kˌWntəɹ", "hyper": "hˌIpəɹ",
    "out": "ˌWt", "dis": "dˌɪs", "auto": "ˌɔTO", "cyber": "sˌIbəɹ", "nano": "nˌænO",
    "pseudo": "sˌudO", "ultra": "ˌʌltɹə", "bio": "bˌIO", "neo": "nˌiO", "co": "kˌO",
}  # fmt: skip
_SUFFIXES = {
    "ly": "li", "ness": "nəs", "less": "ləs", "ful": "fᵊl", "ment": "mənt", "like": "lˌIk",
    "ship": "ʃˌɪp", "hood": "hˌʊd", "ish": "ɪʃ", "able": "əbᵊl", "er": "əɹ", "ers": "əɹz",
    "est": "əst", "ism": "ˌɪzəm", "ist": "ɪst", "ists": "ɪsts", "wise": "wˌIz", "some": "səm",
    "y": "i", "ward": "wəɹd", "proof": "pɹˌuf",
}  # fmt: skip
_VOWEL_LED = ("able", "er", "ers", "est", "ish", "ism", "ist", "ists", "y")


def plural_sound(stem: str) -> str:
    """Add the sound of -s, as in cats, dogs, boxes."""
    last = stem[-1]
    return stem + ("ᵻz" if last in _SIBILANT else "s" if last in _VOICELESS else "z")


def past_sound(stem: str) -> str:
    """Add the sound of -ed, as in walked, hugged, painted."""
    last = stem[-1]
    if last == "t" and len(stem) > 1 and stem[-2] in _FLAP_AFTER:
        return stem[:-1] + "Tᵻd"
    return stem + ("ᵻd" if last in "td" else "t" if last in _VOICELESS_ENDS else "d")


def running_sound(stem: str) -> str:
    """Add the sound of -ing; a t between vowels is flapped."""
    if stem[-1] == "t" and len(stem) > 1 and stem[-2] in _FLAP_AFTER:
        stem = stem[:-1] + "T"
    return stem + "ɪŋ"


def inflected(word: str, sound: Sound) -> str | None:
    """Return the phonemes of a word from those of its stem, or None.

    Args:
        word: in lower case.
        sound: gives the phonemes of a word that is known.
    """
    for ending, stems, ended in (
        ("'s", lambda w: [w[:-2]], plural_sound),
        ("s'", lambda w: [w[:-1]], lambda stem: stem),
        ("s", _plural_stems, plural_sound),
        ("ed", _past_stems, past_sound),
        ("ing", _running_stems, running_sound),
        ("in'", lambda w: [w[:-1] + "g"], lambda stem: stem.removesuffix("ŋ") + "n"),
    ):
        if not word.endswith(ending):
            continue
        for stem in stems(word):
            found = sound(stem) if len(stem) > 1 else None
            if found:
                return ended(found)
    return None


def _plural_stems(word: str) -> list[str]:
    if word.endswith("ss"):
        return []
    stems = [word[:-1]]
    stems += [word[:-3] + "y"] if word.endswith("ies") else []
    return stems + ([word[:-2]] if word.endswith("es") else [])


def _past_stems(word: str) -> list[str]:
    stems = [word[:-1], word[:-2]]
    stems += [word[:-3] + "y"] if word.endswith("ied") else []
    return stems + ([word[:-3]] if word[-3:-2] == word[-4:-3] else [])


def _running_stems(word: str) -> list[str]:
    stem = word[:-3]
    # "hoping" comes from "hope": one consonant after one vowel would be doubled in "hopping".
    short = re.search("(?<![aeiou])[aeiou][^aeiouwxy]$", stem)
    stems = [stem + "e", stem] if short else [stem, stem + "e"]
    return stems + ([stem[:-1]] if stem[-1:] == stem[-2:-1] else [])


def derived(word: str, sound: Sound) -> str | None:
    """Return the phonemes of a word with a living prefix or suffix, or None.

    Args:
        word: in lower case.
        sound: gives the phonemes of a word that is known.
    """
    for suffix, said in _SUFFIXES.items():
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < SHORTEST_STEM:
            continue
        for form in _stems(stem, suffix):
            found = sound(form)
            if found:
                return found + said
    for prefix, said in _PREFIXES.items():
        stem = word.removeprefix(prefix).lstrip("-")
        if word.startswith(prefix) and len(stem) > SHORTEST_STEM:
            found = sound(stem)
            if found:
                return said + found
    return None


def _stems(stem: str, suffix: str) -> Iterator[str]:
    yield stem
    if stem.endswith("i"):
        yield stem[:-1] + "y"
    if suffix in _VOWEL_LED:
        yield stem + "e"
        if stem[-1] == stem[-2]:
            yield stem[:-1]


def compound(word: str, sound: Sound) -> str | None:
    """Return the phonemes of two known words written as one, or None.

    Each part has four letters or more, and no letter is doubled where they meet: with shorter
    parts most names would be cut up. Of several ways the one with the longest first part wins.
    """
    for cut in range(len(word) - 4, 3, -1):
        first = sound(word[:cut]) if word[cut - 1] != word[cut] else None
        second = sound(word[cut:]) if first else None
        if first and second:
            return first + second.replace("ˌ", "").replace("ˈ", "ˌ")
    return None
