"""Clean text as it comes, piece by piece: what characters are read, dropped or refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from autovoice.errors import InputError

PIECE_CHARACTERS = 8192
_BREAKS = str.maketrans({"\r": "\n", "\x0b": "\n\n", "\x0c": "\n\n", "\x85": "\n", "\u2028": "\n",
                         "\u2029": "\n\n"})  # fmt: skip
# Cc but for tab and line breaks; Cf (directions, joiners, soft hyphens, the byte order mark);
# Cs and Co: lone surrogates and private characters, of which some are used as marks inside.
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_KEPT = frozenset("\n\t\u200d\u200c")
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")


def pieces(text: str | Iterable[str]) -> Iterator[str]:
    """Yield the text in clean pieces of at most 8,192 characters.

    NUL is refused: where it is, something else than text was given. Other control and format
    characters, private ones and lone surrogates are dropped; form feeds and the like end a
    paragraph; what remains is composed (NFC).

    Raises:
        InputError: a NUL, or a piece that is no text.
    """
    seen = 0
    held = ""
    for piece in [text] if isinstance(text, str) else text:
        if not isinstance(piece, str):
            raise InputError(f"text: found {type(piece).__name__}, expected str; decode it first")
        for start in range(0, len(piece), PIECE_CHARACTERS):
            part = held + piece[start : start + PIECE_CHARACTERS]
            if "\0" in part:
                at = seen + start + part.index("\0") - len(held)
                raise InputError(
                    f"text: found a NUL at character {at}, expected plain text; is it a binary "
                    "file, or UTF-16 read as UTF-8?"
                )
            # What may belong together stays together: "\r\n", a letter and its accents.
            part, held = _split_end(part)
            yield cleaned(part)
        seen += len(piece)
    if held:
        yield cleaned(held)


def _split_end(part: str) -> tuple[str, str]:
    cut = len(part) - 1
    while cut > 0 and cut > len(part) - 32 and unicodedata.combining(part[cut]):
        cut -= 1
    cut -= part[cut - 1 : cut + 1] == "\r\n"
    return part[: max(cut, 0)], part[max(cut, 0) :]


def cleaned(text: str) -> str:
    """Return text with line ends unified and what cannot be said dropped."""
    if _PLAIN.fullmatch(text):
        return text
    text = text.replace("\r\n", "\n").translate(_BREAKS)
    text = unicodedata.normalize("NFC", text)
    return "".join(c for c in text if c in _KEPT or _said(c))


def ascii_digits(text: str) -> str:
    """Return text with the digits of every script as 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _said(symbol: str) -> bool:
    return unicodedata.category(symbol) not in _DROPPED_CATEGORIES
