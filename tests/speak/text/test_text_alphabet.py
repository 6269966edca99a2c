"""Kokoro's alphabet, IPA in its place, and the user's lexicon."""

from __future__ import annotations

from pathlib import Path

import pytest

from autovoice.errors import InputError
from autovoice.speak.text import lexicon
from autovoice.speak.text.alphabet import checked, from_ipa, stress_before_vowels, vocabulary


def test_the_vocabulary_is_kokoros() -> None:
    assert len(vocabulary()) == 114
    assert vocabulary()["ˈ"] == 156
    assert max(vocabulary().values()) == 177


@pytest.mark.parametrize(
    ("ipa", "phonemes"),
    [
        ("təˈmeɪ.toʊ", "təmˈAtO"),
        ("/ˈbɝːd/", "bˈɜɹd"),
        ("ˈbɑɾ.l̩", "bˈɑTᵊl"),
        ("t͡ʃɜːɹt͡ʃ", "ʧɜɹʧ"),
        ("ˈdʒaɪ.ənt", "ʤˈIənt"),
        ("ˈɹɛkɚd", "ɹˈɛkəɹd"),
    ],
)
def test_ipa_as_english(ipa: str, phonemes: str) -> None:
    assert checked(from_ipa(ipa), ipa) == phonemes


def test_ipa_of_other_languages_keeps_lengths_and_parts_vowels() -> None:
    assert from_ipa("ˈʁuːə", english=False) == "ʁˈuːə"
    assert from_ipa("maˈis", english=False) == "mˈais" or from_ipa("ma.is", english=False) == "mais"
    assert from_ipa("ka͡ɪ", english=False) == "kI"


def test_stress_moves_to_the_vowel() -> None:
    assert stress_before_vowels("ˈstɹit ˌpɹa") == "stɹˈit pɹˌa"


def test_unknown_phonemes_are_named() -> None:
    with pytest.raises(InputError, match=r"word: found the unknown phoneme '€' \(U\+20AC\)"):
        checked("k€t", "word")
    with pytest.raises(InputError, match="expected at least one phoneme"):
        checked(" ,", "word")


def test_a_lexicon_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("\ufeff# mine\nKiefla\tkˈiflə\n\nGIF\t/ˈdʒɪf/\n", encoding="utf-8")
    assert lexicon.read(path) == {"Kiefla": "kˈiflə", "GIF": "ʤˈɪf"}


def test_a_lexicon_in_json(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"GIF": "ʤˈɪf"}', encoding="utf-8")
    assert lexicon.read(path) == {"GIF": "ʤˈɪf"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "GIF ʤˈɪf\n", r"a\.tsv, line 1: found 'GIF ʤˈɪf', expected a word, a tab"),
        ("a.tsv", "ok\tˈO\nGIF\tg€\n", r"a\.tsv, line 2: GIF: found the unknown phoneme"),
        ("a.tsv", "two words\tˈO\n", "expected one word without spaces"),
        ("a.json", "[1]", "expected one JSON object"),
        ("a.json", "{", "not readable as JSON"),
    ],
)
def test_bad_lexicons(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        lexicon.read(path)


def test_an_unreadable_lexicon(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a readable lexicon"):
        lexicon.read(tmp_path / "none.tsv")
    path = tmp_path / "latin.tsv"
    path.write_bytes(b"caf\xe9\tk")
    with pytest.raises(InputError, match="not a readable lexicon in UTF-8"):
        lexicon.read(path)
