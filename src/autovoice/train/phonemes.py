"""Phoneme sequences for Kokoro to read aloud while training: sentences, lyrics, nonsense.

For training only. English comes from a dictionary in Kokoro's own phoneme alphabet (misaki's
``us_gold.json``, Apache-2.0), read as data; Spanish, Italian and Portuguese from the spelling
rules of the text front; other languages as random syllables.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import VOWELS, vocabulary
from autovoice.speak.text.english.dictionary import Dictionary
from autovoice.speak.text.english.reader import EnglishReader
from autovoice.speak.text.spelled import SPELLED, spelled

__all__ = ["VOWELS", "English", "Kind", "PhonemeBank", "build", "invented", "load_bank", "spelled"]
log = logging.getLogger(__name__)
MIN_TOKENS = 20
MAX_TOKENS = 150


class Kind(IntEnum):
    """Where a sequence comes from."""

    ENGLISH = 0
    SPELLED = 1
    TEMPLATE = 2
    WORDS = 3
    NONSENSE = 4


@dataclass(frozen=True, eq=False)
class PhonemeBank:
    """Many token sequences in one array.

    Args:
        tokens: int16, all sequences end to end, without the 0 at both ends.
        offsets: int64 ``[count + 1]``, where each sequence starts.
        kind: int8 ``[count]``, see :class:`Kind`.
    """

    tokens: NDArray[np.int16]
    offsets: NDArray[np.int64]
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.kind)


def resources() -> dict[str, Any]:
    """Return the vocabulary, syllable inventories and sentence parts."""
    path = Path(__file__).with_name("phonemes.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {"vocabulary": dict(vocabulary()), **data}


def load_bank(path: Path) -> PhonemeBank:
    """Read a file that :func:`main` wrote.

    Raises:
        InputError: an array is missing or they do not fit together.
    """
    with np.load(path, allow_pickle=False) as arrays:
        missing = {"tokens", "offsets", "kind"} - set(arrays.files)
        if missing:
            raise InputError(f"{path.name}: no array {sorted(missing)}; build it with this module")
        bank = PhonemeBank(arrays["tokens"], arrays["offsets"], arrays["kind"])
    if len(bank.offsets) != len(bank) + 1 or bank.offsets[-1] != len(bank.tokens):
        raise InputError(
            f"{path.name}: found {len(bank.offsets)} offsets up to {int(bank.offsets[-1])}, "
            f"expected {len(bank) + 1} up to {len(bank.tokens)}; build it again"
        )
    return bank


class English:
    """Look English sentences up in a dictionary of Kokoro's phonemes, without any guesses.

    Args:
        entries: word -> phonemes, or -> a mapping by part of speech with ``DEFAULT``.
    """

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self._dictionary = Dictionary(entries)
        self._reader = EnglishReader(self._dictionary, None)

    def sentence(self, text: str) -> str | None:
        """Return the phonemes of ``text``, or None when a word is unknown."""
        text = re.sub(r"[\"“”()*_]", " ", text).replace("’", "'")
        if re.search(r"[^A-Za-z\s';:,.!?—…-]", text):
            return None
        return self._reader.phonemes(text)

    def words(self) -> dict[str, str]:
        """Return every word that is known with its phonemes."""
        found = ((word, self._dictionary.exact(word)) for word in self._dictionary.words())
        return {word: phonemes for word, phonemes in found if phonemes}


def nonsense(inventory: Mapping[str, list[str]], rng: random.Random) -> str:
    """Make a sentence of random syllables from one language's sounds."""
    words = []
    for _ in range(rng.randint(6, 16)):
        syllables = rng.randint(1, 4)
        stressed = rng.randrange(syllables)
        word = ""
        for index in range(syllables):
            onset = rng.choice(inventory["consonants"]) if rng.random() < 0.9 else ""
            coda = rng.choice(inventory["codas"]) if rng.random() < 0.3 else ""
            tone = rng.choice(inventory["tones"]) if inventory["tones"] else ""
            mark = "ˈ" if index == stressed and not tone else ""
            word += onset + mark + rng.choice(inventory["vowels"]) + coda + tone
        words.append(word + ("," if rng.random() < 0.12 else ""))
    return " ".join(words).rstrip(",") + rng.choice(".!?.")


def templates(parts: Mapping[str, list[str]], rng: random.Random) -> Iterator[str]:
    """Make English sentences and lyrics without end."""
    while True:
        if rng.random() < 0.4:
            lines = [rng.choice(parts["lyrics"]) for _ in range(rng.randint(2, 5))]
            yield ", ".join(lines) + "."
        else:
            names = ("subjects", "verbs", "objects", "endings")
            yield " ".join(rng.choice(parts[name]) for name in names) + "."


def random_words(english: English, rng: random.Random) -> Iterator[str]:
    """String dictionary words together without end: rare sounds and clusters come up too."""
    known = english.words()
    words = sorted(word for word in known if word.isalpha() and word.islower())
    while True:
        chosen = [known[rng.choice(words)] for _ in range(rng.randint(4, 14))]
        yield " ".join(p + ("," if rng.random() < 0.1 else "") for p in chosen).rstrip(",") + "."


def build(
    rows: list[dict[str, str]], entries: Mapping[str, Any], *, each: int = 2000, seed: int = 7
) -> PhonemeBank:
    """Collect sequences of 20-150 tokens from texts, templates, words and syllables.

    Args:
        rows: with ``language`` and ``text``; rows without text are left out.
        entries: an English dictionary, see :class:`English`.
        each: how many of each invented kind. Default 2000.
        seed: of the random choices. Default 7.
    """
    data, rng, english = resources(), random.Random(seed), English(entries)  # noqa: S311
    found: dict[str, Kind] = {}
    for row in rows:
        text, language = row["text"], row["language"]
        if text and language.startswith("en"):
            _add(found, english.sentence(text), Kind.ENGLISH)
        elif text and language in SPELLED:
            _add(found, spelled(text, language), Kind.SPELLED)
    made = (english.sentence(text) for text in templates(data["parts"], rng))
    _fill(found, made, Kind.TEMPLATE, each)
    _fill(found, random_words(english, rng), Kind.WORDS, each)
    inventories = list(data["languages"].values())
    syllables = (nonsense(rng.choice(inventories), rng) for _ in iter(int, 1))
    _fill(found, syllables, Kind.NONSENSE, each)
    return _bank(found, data["vocabulary"])


def invented(count: int, seed: int = 7) -> PhonemeBank:
    """Make ``count`` sequences of random syllables of ten languages; needs no dictionary.

    Args:
        count: how many.
        seed: of the random choices. Default 7.
    """
    data, rng = resources(), random.Random(seed)  # noqa: S311
    found: dict[str, Kind] = {}
    inventories = list(data["languages"].values())
    syllables = (nonsense(rng.choice(inventories), rng) for _ in iter(int, 1))
    _fill(found, syllables, Kind.NONSENSE, count)
    return _bank(found, data["vocabulary"])


def _add(found: dict[str, Kind], phonemes: str | None, kind: Kind) -> bool:
    if phonemes is None or not MIN_TOKENS <= len(phonemes) <= MAX_TOKENS or phonemes in found:
        return False
    found[phonemes] = kind
    return True


def _fill(found: dict[str, Kind], source: Iterator[str | None], kind: Kind, count: int) -> None:
    """Take new sequences until there are ``count``; give up after 50 times as many tries."""
    for _ in range(50 * count):
        count -= _add(found, next(source), kind)
        if not count:
            return


def _bank(found: Mapping[str, Kind], vocabulary: Mapping[str, int]) -> PhonemeBank:
    rows = [[vocabulary[symbol] for symbol in phonemes] for phonemes in found]
    lengths = [len(row) for row in rows]
    tokens = np.array([token for row in rows for token in row], dtype=np.int16)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return PhonemeBank(tokens, offsets, np.array(list(found.values()), dtype=np.int8))


def main(arguments: list[str] | None = None) -> None:
    """Build the file: ``OUT.npz --manifest manifest.csv --dictionary us_gold.json``."""
    parser = argparse.ArgumentParser(description="Build phoneme sequences for training.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--manifest", type=Path, required=True, help="CSV with language and text")
    parser.add_argument("--dictionary", type=Path, required=True, help="misaki's us_gold.json")
    parser.add_argument("--each", type=int, default=2000, help="sequences of each invented kind")
    options = parser.parse_args(arguments)
    with options.manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    entries = json.loads(options.dictionary.read_text(encoding="utf-8"))
    bank = build(rows, entries, each=options.each)
    np.savez_compressed(options.out, tokens=bank.tokens, offsets=bank.offsets, kind=bank.kind)
    log.info("%s: %d sequences, %d tokens", options.out.name, len(bank), len(bank.tokens))


if __name__ == "__main__":
    main()
