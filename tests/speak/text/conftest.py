"""A small dictionary in the place of the real one, for tests without weights."""

from __future__ import annotations

import pytest

from autovoice.speak.text import readers
from autovoice.speak.text.english.dictionary import Dictionary
from autovoice.speak.text.english.reader import EnglishReader

LETTERS = {
    "A": "ˈA", "B": "bˈi", "F": "ˈɛf", "I": "ˈI", "M": "ˈɛm", "P": "pˈi", "S": "ˈɛs", "U": "jˈu",
    "K": "kˈA", "R": "ˈɑɹ", "T": "tˈi",
}  # fmt: skip
ENTRIES = {
    **LETTERS,
    "cat": "kˈæt", "dog": "dˈɔɡ", "box": "bˈɑks", "eat": "ˈit", "apple": "ˈæpᵊl",
    "dance": "dˈæns", "paint": "pˈAnt", "water": "wˈɔɾəɹ", "the": "ði", "NASA": "nˈæsə",
    "US": {"DEFAULT": "ˌʌs", "NOUN": None}, "us": "ˌʌs", "told": "tˈOld", "and": "ænd",
    "snow": "snˈO", "board": "bˈɔɹd", "friend": "fɹˈɛnd", "known": "nˈOn", "well": "wˈɛl",
    "could": {"DEFAULT": "kʊd", "None": "kˈʊd"}, "we": "wi", "go": "ɡˌO", "here": "hˈɪɹ",
    "five": "fˈIv", "hello": "həlˈO", "world": "wˈɜɹld",
    "record": {"DEFAULT": "ɹˈɛkəɹd", "VERB": "ɹəkˈɔɹd"}, "new": "nˈu", "hat": "hˈæt",
    "stop": "stˈɑp", "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd", "VBN": "ɹˈɛd"}, "cafe": "kæfˈA",
    "one": "wˈʌn", "two": "tˈu", "she": "ʃi", "had": "hæd", "it": "ɪt", "is": "ɪz",
    "slow": "slˈO", "word": "wˈɜɹd", "of": "ʌv", "joy": "ʤˈY", "tears": "tˈɪɹz", "was": "wʌz",
    "cold": "kˈOld", "river": "ɹˈɪvəɹ", "at": "æt", "three": "θɹˈi", "point": "pˈYnt",
    "hundred": "hˈʌndɹəd",
}  # fmt: skip


def guess(word: str) -> str:
    """Stand in for the network: one syllable for every word."""
    return "blˈɑ" if any(c.isalpha() for c in word) else ""


@pytest.fixture
def dictionary() -> Dictionary:
    return Dictionary(ENTRIES)


@pytest.fixture
def reader(dictionary: Dictionary) -> EnglishReader:
    return EnglishReader(dictionary, guess)


@pytest.fixture
def small_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``utterances`` read English with the small dictionary."""
    monkeypatch.setitem(
        readers._READERS,
        "en-us",
        lambda lexicon: EnglishReader(Dictionary(ENTRIES), guess, lexicon),
    )
