"""Sentences are cut where readers stop, however the text comes in."""

from __future__ import annotations

import itertools
import random

import pytest

from autovoice.errors import InputError
from autovoice.speak.text.pieces import PIECE_CHARACTERS, cleaned, pieces
from autovoice.speak.text.sentences import LONGEST_CHARACTERS, PARAGRAPH_PAUSE_S, sentences

PROSE = """Call me Ishmael. Some years ago--never mind how long precisely--having little
or no money in my purse, I thought I would sail about a little. "What?" he said. "No ... never!"

CHAPTER I. Loomings

Mr. Bennet replied that he had not. "But it is," returned she; "for Mrs. Long has just been here."
Dr. Smith of the U.S. Army met J. R. R. Tolkien at 5 p.m. He left. It cost $3.50. Is it? Yes!
See No. 5 for it. No. Absolutely not. He works at Apple Inc. The firm is big. 今日は。元気？
"""
CUTS = [
    "Call me Ishmael.",
    "Some years ago--never mind how long precisely--having little or no money in my purse, I "
    "thought I would sail about a little.",
    '"What?" he said.',
    '"No ... never!"',
    "CHAPTER I.",
    "Loomings",
    "Mr. Bennet replied that he had not.",
    '"But it is," returned she; "for Mrs. Long has just been here."',
    "Dr. Smith of the U.S. Army met J. R. R. Tolkien at 5 p.m.",
    "He left.",
    "It cost $3.50.",
    "Is it?",
    "Yes!",
    "See No. 5 for it.",
    "No.",
    "Absolutely not.",
    "He works at Apple Inc.",
    "The firm is big.",
    "今日は。",
    "元気？",
]


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in sentences([text])]


def test_prose() -> None:
    assert texts(PROSE) == CUTS


@pytest.mark.parametrize("seed", range(20))
def test_cuts_do_not_depend_on_how_the_text_comes(seed: int) -> None:
    rng, parts, place = random.Random(seed), [], 0
    while place < len(PROSE):
        step = rng.randint(1, 70)
        parts.append(PROSE[place : place + step])
        place += step
    assert list(sentences(parts)) == list(sentences([PROSE]))


@pytest.mark.parametrize(
    ("text", "pause_s"),
    [
        ("Yes.", 0.35),
        ("Yes!", 0.4),
        ("Yes?”", 0.4),
        ("Well…", 0.55),
        ("namely:", 0.3),
        ("bare", 0.3),
    ],
)
def test_pauses_follow_punctuation(text: str, pause_s: float) -> None:
    assert [sentence.pause_s for sentence in sentences([text])] == [pause_s]


def test_paragraphs_pause_longer() -> None:
    found = list(sentences(["One.\n\nTwo. Three."]))
    assert [sentence.pause_s for sentence in found] == [PARAGRAPH_PAUSE_S, 0.35, 0.35]


def test_the_first_sentence_comes_before_the_text_ends() -> None:
    def endless() -> itertools.chain[str]:
        return itertools.chain.from_iterable(
            ["One two three. ", "Four five six. "] for _ in iter(int, 1)
        )

    assert next(sentences(endless())).text == "One two three."


def test_text_without_any_end_is_cut() -> None:
    found = texts("word " * 2000)
    assert max(map(len, found)) <= LONGEST_CHARACTERS
    assert " ".join(found).split() == ["word"] * 2000
    assert sum(map(len, texts("a" * 5000))) == 5000


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("soft\u00adhyphen\ufeff", "softhyphen"),
        ("\u202eright\u202c to left\u200f", "right to left"),
        ("bell\x07 and\x1b escape", "bell and escape"),
        ("page\x0cbreak", "page\n\nbreak"),
        ("private\U000f0000\ue000 planes", "private planes"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("cafe\u0301", "café"),
    ],
)
def test_what_cannot_be_said_is_dropped(text: str, clean: str) -> None:
    assert cleaned(text) == clean


def test_nul_is_refused_with_its_place() -> None:
    with pytest.raises(InputError, match=r"found a NUL at character 7, .* binary"):
        list(pieces(["four ", "me\0"]))
    with pytest.raises(InputError, match=f"at character {PIECE_CHARACTERS + 3},"):
        list(pieces("a" * (PIECE_CHARACTERS + 3) + "\0"))


def test_bytes_are_refused() -> None:
    with pytest.raises(InputError, match="found bytes, expected str"):
        list(pieces([b"text"]))  # type: ignore[list-item]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_keep_together_what_belongs_together(size: int) -> None:
    text = "cafe\u0301\r\nnai\u0308ve\r\n"
    cut = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(pieces(cut)) == "café\nnaïve\n"
