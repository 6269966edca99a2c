"""Cut a book into its chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A line of its own that opens a chapter: Markdown, or a word for it with a number or numeral.
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,3}[ \t]+\S.*|(?:chapter|part|book|act|scene|prologue|epilogue|chapitre|partie|"
    r"cap[ií]tulo|capitolo|kapitel|teil)\b[ \t]*(?:[\dIVXLC]+|[a-zéèíó-]{1,12})?[ \t]*"
    r"(?:[.:—–-].{0,80})?)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)  # fmt: skip
_WIDE_GAP = re.compile(r"\n[ \t]*\n[ \t]*\n(?:[ \t]*\n)*")
_TITLE_CHARACTERS = 60


@dataclass(frozen=True)
class Chapter:
    """A part of a book.

    Args:
        title: its first line, cut to 60 characters.
        text: all of it, the heading with it.
    """

    title: str
    text: str


def chapters(text: str) -> list[Chapter]:
    """Return the chapters of a book, in order.

    A chapter begins with a Markdown heading (``#`` to ``###``) or a line such as ``Chapter IV`` or
    ``CHAPTER 2: The river``. Where there are no such lines, two or more empty lines on end divide;
    where there are none of those either, all is one chapter. What holds no letter or digit, a line
    of stars say, is left out.

    Args:
        text: plain text.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _HEADING.finditer(lines)]
    parts = _between(lines, starts) if starts else _WIDE_GAP.split(lines)
    return [
        Chapter(_title(part), part.strip())
        for part in parts
        if any(character.isalnum() for character in part)
    ]


def _between(text: str, starts: list[int]) -> Iterator[str]:
    """Yield what stands before the first heading, then heading by heading."""
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        yield text[start:end]


def _title(part: str) -> str:
    first = part.strip().splitlines()[0].lstrip("# \t").strip()
    return first if len(first) <= _TITLE_CHARACTERS else first[: _TITLE_CHARACTERS - 3] + "..."
