"""From letters to Kokoro's phonemes by ordered rules, a language per table of ``spelled.json``.

At each place of a word the first rule that fits says what is heard, and how many letters it took;
rules look at the letters around it. Then the stress is found. The sounds are those that Kokoro
learned: Castilian Spanish, Brazilian Portuguese, diphthongs as one capital. The rules are our
own, from the orthographies of the four languages.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autovoice.speak.text.alphabet import PUNCTUATION, VOWELS, vocabulary

SPELLED = ("es", "fr", "it", "pt-br")
_STRESS = "ˈ"
_VOWELS = VOWELS | {"E"}


@functools.cache
def tables() -> Mapping[str, Any]:
    """Return the rules of all languages."""
    path = Path(__file__).with_name("spelled.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return MappingProxyType(data)


@functools.cache
def spelling_of(language: str) -> Spelling:
    """Return the rules of one language of :data:`SPELLED`."""
    return Spelling(tables()[language])


class Spelling:
    """One language's rules.

    Args:
        table: ``rules`` (pattern, sound), ``words`` (exceptions), ``weak`` (words without
            stress), ``after`` (replacements once the stress is set), ``penultimate`` and
            ``antepenultimate`` (endings that stress the last syllable but one or two), and for
            French ``liaison``, ``aspirated``, ``heard_ent`` (words whose last three letters are
            heard though a plural stands before) and ``no_plural`` (words in -s that are none).
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        vowels, consonants = table["vowels"], table["consonants"]
        self._rules = [
            (re.compile(p.replace("{V}", vowels).replace("{C}", consonants)), sound)
            for p, sound in table["rules"]
        ]
        self._words: Mapping[str, str] = table["words"]
        self._weak = frozenset(table["weak"])
        self._after: list[list[str]] = table["after"]
        self._penultimate = re.compile(table["penultimate"]) if table["penultimate"] else None
        late = table.get("antepenultimate")
        self._antepenultimate = re.compile(late) if late else None
        self._liaison: Mapping[str, str] = table.get("liaison", {})
        self._aspirated = frozenset(table.get("aspirated", ()))
        self._heard_ent = frozenset(table.get("heard_ent", ()))
        self._no_plural = frozenset(table.get("no_plural", ()))
        self._letters = vowels

    def word(self, word: str) -> str:
        """Return the phonemes of one word in lower case; letters without a rule stay."""
        if word in self._words:
            return _decomposed(self._words[word])
        said, place = "", 0
        while place < len(word):
            for pattern, sound in self._rules:
                match = pattern.match(word, place)
                if match and match.end() > place:
                    said += match.expand(sound)
                    place = match.end()
                    break
            else:
                place += 1
        said = self._stressed(_decomposed(said), word)
        for old, new in self._after:
            said = said.replace(old, new)
        return said

    def knows(self, word: str) -> bool:
        """Tell whether the word is an exception with a sound of its own."""
        return word in self._words

    def _stressed(self, said: str, word: str) -> str:
        vowels = [place for place, symbol in enumerate(said) if symbol in _VOWELS]
        if _STRESS in said or not vowels or word in self._weak:
            return said
        back = 1
        if self._penultimate and self._penultimate.search(word):
            back = 2
        if self._antepenultimate and self._antepenultimate.search(word):
            back = 3
        place = vowels[-min(back, len(vowels))]
        return said[:place] + _STRESS + said[place:]

    @property
    def links(self) -> bool:
        """Whether words are linked (French)."""
        return bool(self._liaison)

    def silent_ent(self, word: str, before: str) -> bool:
        """Tell whether ``-ent`` is the silent plural of a verb (French), from the word before."""
        if not self.links or not word.endswith("ent") or word in self._heard_ent:
            return False
        if before in ("ils", "elles"):
            return True
        plural = before[-1:] in ("s", "x") and before not in self._no_plural
        return plural and re.search("(?:[^aeioum]|ou|oi|[bcdfglprtv]i)ent$", word) is not None

    def linked(self, word: str, following: str) -> str:
        """Return what a word says more because of the word that follows it (French liaison)."""
        if word not in self._liaison or not following or following in self._aspirated:
            return ""
        first = following[0]
        silent = first == "h" or (first in self._letters and first != "y")
        return self._liaison[word] if silent else ""


def _decomposed(phonemes: str) -> str:
    """Take nasal vowels apart: Kokoro knows the tilde as a sign of its own."""
    return unicodedata.normalize("NFD", phonemes).replace("c\u0327", "ç")


def spelled(text: str, language: str) -> str | None:
    """Read a sentence of a language of :data:`SPELLED`; None when something is left over.

    Args:
        text: words and punctuation, without figures.
        language: one of :data:`SPELLED`.
    """
    if re.search(r"\d", text):
        return None
    phonemes = read_words(text, spelling_of(language), {}, {})
    return phonemes if all(symbol in vocabulary() for symbol in phonemes) else None


_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?|[;:,.!?—…]|[\U000F0000-\U000FFFFD]")
_ELIDED = re.compile(r"(?:qu|lorsqu|puisqu|jusqu|[a-zù]|un|all|dell|nell|sull|dall|quest|quell)'")


def read_words(
    text: str, spelling: Spelling, lexicon: Mapping[str, str], marked: Mapping[str, str]
) -> str:
    """Return the phonemes of a sentence in words.

    Args:
        lexicon: own pronunciations, lower case.
        marked: what private marks are said as.
    """
    text = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    tokens = _TOKEN.findall(text)
    said = ""
    for place, token in enumerate(tokens):
        if token in PUNCTUATION:
            said += token
            continue
        before = tokens[place - 1] if place else ""
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        sound = lexicon.get(token) or marked.get(token) or _said(token, before, spelling)
        said += f" {sound}{spelling.linked(token, following)}"
    return said.strip()


def _said(token: str, before: str, spelling: Spelling) -> str:
    """Say one token: apostrophes join it, hyphens part it."""
    if not spelling.knows(token) and spelling.silent_ent(token, before):
        token = token[:-3] + "e"
    # Typewriter Italian writes a final accent as an apostrophe.
    token = re.sub(r"(?<=[a-z]{2}[aeiou])'$", "\N{COMBINING GRAVE ACCENT}", token)
    token = unicodedata.normalize("NFC", token)
    whole = spelling.word(token) if spelling.knows(token) else ""
    if whole:
        return whole
    joined = "".join(_part(part, spelling) for part in re.findall(r"[^'-]+['-]?", token))
    return joined.strip()


def _part(part: str, spelling: Spelling) -> str:
    if part.endswith("'"):
        elided = spelling.word(part[:-1] + "e") if len(part) <= 3 else spelling.word(part[:-1])
        if _ELIDED.fullmatch(part):
            return re.sub(f"[əe]$|{_STRESS}", "", elided)
        return spelling.word(part[:-1])
    return spelling.word(part.rstrip("-")) + (" " if part.endswith("-") else "")
