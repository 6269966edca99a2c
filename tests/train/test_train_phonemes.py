from __future__ import annotations

import csv
import json
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from autovoice.errors import InputError
from autovoice.train.phonemes import (
    MAX_TOKENS,
    MIN_TOKENS,
    English,
    Kind,
    build,
    load_bank,
    main,
    nonsense,
    resources,
    spelled,
    templates,
)

ENTRIES = {
    "cat": "kˈæt",
    "dog": "dˈɔɡ",
    "box": "bˈɑks",
    "eat": "ˈit",
    "apple": "ˈæpᵊl",
    "dance": "dˈæns",
    "want": "wˈɑnt",
    "paint": "pˈAnt",
    "read": {"DEFAULT": "ɹˈid", "VBD": "ɹˈɛd"},
    "silent": None,
}


@pytest.fixture(scope="module")
def english() -> English:
    return English(ENTRIES)


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("The cat, the apple!", "ðə kˈæt, ði ˈæpᵊl!"),
        ("I want to eat a dog.", "ˌI wˈɑnt tʊ ˈit ɐ dˈɔɡ."),
        ("cats", "kˈæts"),
        ("dog's", "dˈɔɡz"),
        ("boxes", "bˈɑksᵻz"),
        ("dancing", "dˈænsɪŋ"),
        ("painted", "pˈAntᵻd"),
        ("to read", "tə ɹˈid"),
    ],
)
def test_english(english: English, text: str, phonemes: str) -> None:
    assert english.sentence(text) == phonemes


@pytest.mark.parametrize("text", ["a zebra", "cat 5", "silent"])
def test_unknown_words_give_nothing(english: English, text: str) -> None:
    assert english.sentence(text) is None


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("es", "La niña quiere queso.", "la nˈiɲa kjˈeɾe kˈeso."),
        ("es", "canción", "kanθjˈon"),
        ("it", "gli gnocchi", "ʎi ɲˈokːi"),
        ("it", "la citta'", "la ʧitːˈa"),
        ("pt-br", "filho, não", "fˈiʎʊ, nˈɐ̃ʊ̃"),
    ],
)
def test_spelling(language: str, text: str, phonemes: str) -> None:
    assert spelled(text, language) == phonemes


def test_spelling_leaves_out_what_it_cannot_read() -> None:
    assert spelled("hay 7 gatos", "es") is None


def test_every_inventory_is_in_the_vocabulary_and_covers_it() -> None:
    data = resources()
    rng = random.Random(0)
    used: set[str] = set()
    for inventory in data["languages"].values():
        for _ in range(60):
            used |= set(nonsense(inventory, rng))
    assert used <= set(data["vocabulary"])
    # Brackets, quotes, dashes and two letters that no language of Kokoro's uses stay out.
    assert len(used) >= 0.85 * len(data["vocabulary"])


def test_templates_vary() -> None:
    made = list(islice(templates(resources()["parts"], random.Random(0)), 200))
    assert len(set(made)) > 190


def test_build_and_load(tmp_path: Path) -> None:
    manifest, dictionary = tmp_path / "manifest.csv", tmp_path / "gold.json"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["language", "text"])
        writer.writeheader()
        writer.writerow({"language": "en-us", "text": "The cat wants a box, the dog wants a cat."})
        writer.writerow({"language": "en-us", "text": "cat"})
        writer.writerow({"language": "es", "text": "Las palabras antiguas son las mejores."})
        writer.writerow({"language": "ru", "text": "нет"})
    dictionary.write_text(json.dumps(ENTRIES), encoding="utf-8")
    out = tmp_path / "bank.npz"
    main([str(out), "--manifest", str(manifest), "--dictionary", str(dictionary), "--each", "30"])
    bank = load_bank(out)
    lengths = np.diff(bank.offsets)
    assert lengths.min() >= MIN_TOKENS
    assert lengths.max() <= MAX_TOKENS
    assert bank.tokens.dtype == np.int16
    counts = {kind: int((bank.kind == kind).sum()) for kind in Kind}
    # The small dictionary knows no word of the templates.
    assert counts == {
        Kind.ENGLISH: 1,
        Kind.SPELLED: 1,
        Kind.TEMPLATE: 0,
        Kind.WORDS: 30,
        Kind.NONSENSE: 30,
    }


def test_the_same_seed_builds_the_same_bank() -> None:
    first, second = (build([], ENTRIES, each=20, seed=5) for _ in range(2))
    other = build([], ENTRIES, each=20, seed=6)
    assert np.array_equal(first.tokens, second.tokens)
    assert not np.array_equal(first.tokens, other.tokens)


def test_a_damaged_bank_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bank.npz"
    np.savez(path, tokens=np.zeros(3, np.int16), offsets=np.array([0, 2]))
    with pytest.raises(InputError, match="no array \\['kind'\\]"):
        load_bank(path)
    np.savez(
        path, tokens=np.zeros(3, np.int16), offsets=np.array([0, 2]), kind=np.zeros(1, np.int8)
    )
    with pytest.raises(InputError, match="found 2 offsets up to 2"):
        load_bank(path)
