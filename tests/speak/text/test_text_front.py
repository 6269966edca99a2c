"""Text in, utterances out: rules for long, odd and wrong input."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import pytest

from autovoice.errors import InputError
from autovoice.speak.text import MAX_PHONEMES, languages, utterances
from autovoice.speak.text.alphabet import vocabulary
from autovoice.speak.text.front import clause_cut

pytestmark = pytest.mark.usefixtures("small_english")


def test_text_becomes_utterances() -> None:
    first, second = utterances("Hello world. It is 5 p.m. here!")
    assert (first.text, first.phonemes, first.pause_s) == ("Hello world.", "həlˈO wˈɜɹld.", 0.35)
    assert second.text == "It is 5 p.m. here!"
    assert second.phonemes == "ɪt ɪz fˈIv pˌiˈɛm hˈɪɹ!"
    assert (second.speed, second.semitones) == (1.0, 0.0)


def test_only_what_is_asked_for_is_read() -> None:
    read: list[int] = []

    def book() -> Iterator[str]:
        for page in itertools.count():
            read.append(page)
            yield "Hello world. " * 10

    found = utterances(book())
    next(found)
    assert len(read) <= 3


def test_a_book_takes_no_more_memory_than_a_page() -> None:
    page = "Hello world, we go here. She had it, and the cat was cold.\n\n" * 20

    def peak(pages: int) -> int:
        tracemalloc.start()
        count = sum(1 for _ in utterances(itertools.repeat(page, pages)))
        assert count == 40 * pages
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)
    small, large = peak(3), peak(30)
    assert large < 1.5 * small + 20_000


def test_long_sentences_are_cut_at_clauses() -> None:
    text = "hello world, " * 60 + "hello world."
    found = list(utterances(text))
    assert len(found) > 1
    assert all(0 < len(u.phonemes) <= MAX_PHONEMES for u in found)
    assert " ".join(u.text for u in found) == text
    assert [u.pause_s for u in found[:-1]] == [0.12] * (len(found) - 1)
    assert found[-1].pause_s == 0.35


@pytest.mark.parametrize("text", ["hello " * 400, "a" * 3000, "9" * 900, "(((" * 500 + "hello"])
def test_text_that_cannot_be_cut_well_is_cut_anyway(text: str) -> None:
    found = list(utterances(text))
    assert all(0 < len(u.phonemes) <= MAX_PHONEMES for u in found)
    assert all(symbol in vocabulary() for u in found for symbol in u.phonemes)


def test_a_cut_looks_for_clauses_first() -> None:
    text = "one two three four; five six, seven and eight nine ten"
    assert text[: clause_cut(text)] == "one two three four; "
    assert text.replace(";", "")[: clause_cut(text.replace(";", ""))].endswith("six, ")
    assert clause_cut("aaaa") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing, expected words to say"),
        (" \n\t", "found nothing, expected words to say"),
        ("... !? —", "found nothing that can be said"),
        ("\u200b\ufeff\x07", "found nothing that can be said"),
        ("שלום עולם", r"letters that 'en-us' does not read \(Hebrew\); pass the language"),
        ("Привет", r"\(Cyrillic\)"),
        ("a\0b", "found a NUL at character 1"),
    ],
)
def test_nothing_to_say_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(utterances(text))


def test_no_pieces_are_an_error_too() -> None:
    with pytest.raises(InputError, match="found nothing that can be said"):
        list(utterances(iter([])))


def test_mixed_scripts_are_said_as_far_as_they_can_be(caplog: pytest.LogCaptureFixture) -> None:
    (only,) = utterances("hello שלום world мир שלום")
    assert only.phonemes == "həlˈO wˈɜɹld"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "Hebrew letters are left out" in told[0]
    assert "Cyrillic letters are left out" in told[1]


def test_emoji_are_said_by_name() -> None:
    (only,) = utterances("😂")
    assert only.phonemes.startswith("tˈɪɹz ʌv ʤˈY")


def test_languages_and_lexicons_are_checked_at_once() -> None:
    with pytest.raises(InputError, match="found 'tlh', expected one of en-us, es, fr, hi"):
        utterances("hello", language="tlh")
    with pytest.raises(InputError, match="lexicon: hello: found the unknown phoneme '€'"):
        utterances("hello", lexicon={"hello": "€"})
    assert set(languages()) == {"en-us", "es", "fr", "hi", "it", "ja", "pt-br", "zh"}


def test_the_users_lexicon_is_used() -> None:
    (only,) = utterances("Hello zorblax", lexicon={"Zorblax": "zˈɔɹblæks"})
    assert only.phonemes == "həlˈO zˈɔɹblæks"
