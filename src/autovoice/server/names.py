"""File names that strangers chose, made harmless."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 120
_PARTS = re.compile(r"[\\/]")


def shown_name(name: str | None, fallback: str = "song") -> str:
    """Return a name that may be shown, logged and put into a header.

    It is never used as a path: no folders, no control characters, no dots at its ends.

    >>> shown_name("../../etc/passwd"), shown_name("a\\r\\nSet-Cookie: x.mp3")
    ('passwd', 'aSet-Cookie: x.mp3')
    """
    last = _PARTS.split(name or "")[-1]
    kept = "".join(c for c in unicodedata.normalize("NFC", last) if _is_plain(c))
    kept = kept.strip(" .")[:LONGEST].strip(" .")
    return kept or fallback


def stem_of(name: str) -> str:
    """Return a shown name without its ending."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _is_plain(character: str) -> bool:
    # Neither control characters nor marks that turn the direction of text (as in "3pm.exe").
    return character.isprintable() and unicodedata.category(character) not in {"Cf", "Cs", "Co"}
