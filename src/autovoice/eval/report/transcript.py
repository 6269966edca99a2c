"""Two transcripts with their differences marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from autovoice.eval.cer import normalised

# Written without spaces between words, so that characters are compared.
_NO_SPACES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
# Thai to Burmese, Khmer, kana, Han.
_DENSE = re.compile(
    r"[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
)
_WORD = re.compile(r"\S+\s*|\s+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
# Comparing takes time with the square; a minute of speech is far below.
_MOST_PIECES = 4000


@dataclass(frozen=True)
class Piece:
    """A stretch of text: in both (``same``), in the source alone, or in the output alone."""

    kind: Literal["same", "lost", "new"]
    text: str


def differences(source: str, output: str, language: str) -> tuple[list[Piece], list[Piece]]:
    """Return both texts in pieces; case and punctuation are no difference, as in the error rate.

    Args:
        source, output: what was heard in each.
        language: its code; decides whether words or characters are compared.
    """
    split = _characters if _dense(source + output, language) else _words
    ours, theirs = split(source), split(output)
    if max(len(ours), len(theirs)) > _MOST_PIECES:
        return [Piece("same", source)], [Piece("same", output)]
    keys = [[normalised(part) for part in parts] for parts in (ours, theirs)]
    # What has no letter is of no account: leave it out of the comparison.
    places = [[k for k, key in enumerate(each) if key] for each in keys]
    matcher = SequenceMatcher(
        None,
        [keys[0][k] for k in places[0]],
        [keys[1][k] for k in places[1]],
        autojunk=False,
    )
    same: tuple[set[int], set[int]] = (set(), set())
    for block in matcher.get_matching_blocks():
        for k in range(block.size):
            same[0].add(places[0][block.a + k])
            same[1].add(places[1][block.b + k])
    return (
        _pieces(ours, set(places[0]) - same[0], "lost"),
        _pieces(theirs, set(places[1]) - same[1], "new"),
    )


def language_tag(language: str) -> str:
    """Return the code for a ``lang`` attribute, empty where it is none."""
    return language if _LANGUAGE.fullmatch(language) else ""


def _dense(text: str, language: str) -> bool:
    letters = sum(char.isalpha() for char in text)
    return language in _NO_SPACES or 2 * len(_DENSE.findall(text)) > letters > 0


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _characters(text: str) -> list[str]:
    return list(text)


def _pieces(parts: list[str], different: set[int], kind: Literal["lost", "new"]) -> list[Piece]:
    pieces: list[Piece] = []
    for k, part in enumerate(parts):
        this = kind if k in different else "same"
        if pieces and pieces[-1].kind == this:
            pieces[-1] = Piece(pieces[-1].kind, pieces[-1].text + part)
        else:
            pieces.append(Piece(this, part))
    return [each for piece in pieces for each in _trimmed(piece)]


def _trimmed(piece: Piece) -> list[Piece]:
    """Move the space after a difference out of it, so that no line is drawn under a space."""
    text = piece.text.rstrip()
    if piece.kind == "same" or text == piece.text:
        return [piece]
    return [Piece(piece.kind, text), Piece("same", piece.text[len(text) :])]
