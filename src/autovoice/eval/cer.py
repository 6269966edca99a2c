"""Character error rate."""

from __future__ import annotations

import unicodedata

import numpy as np

# Letters, the marks that belong to them, and numbers; see the general categories of Unicode.
_KEPT = ("L", "M", "N")


def normalised(text: str) -> str:
    """Return what counts of a text: its letters and numbers.

    Compatibility forms are unified (NFKC), case is folded, and everything that is neither letter,
    mark nor number is left out, spaces included, so that scripts with and without spaces are
    scored alike.

    >>> normalised("Don’t  STOP – 2 much!")
    'dontstop2much'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in folded if unicodedata.category(char)[0] in _KEPT)


def edit_distance(one: str, other: str) -> int:
    """Return how many characters to insert, delete or replace to turn one text into the other.

    >>> edit_distance("kitten", "sitting")
    3

    Source: Levenshtein, 1966, a row at a time.
    """
    codes = np.array([ord(char) for char in other], dtype=np.int64)
    steps = np.arange(len(other) + 1)
    row = steps.copy()
    for char in one:
        kept = np.concatenate(([row[0] + 1], row[:-1] + (codes != ord(char))))
        best = np.minimum(kept, row + 1)
        # Inserting: cell j may come from any cell i before it, at j - i more.
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def character_error_rate(heard: str, wanted: str) -> float | None:
    """Return the edits per character of ``wanted``, both normalised; None if that is empty.

    It may exceed 1 where much was added.

    >>> character_error_rate("Hello, wurld", "hello world")
    0.1
    """
    ours, theirs = normalised(heard), normalised(wanted)
    return edit_distance(ours, theirs) / len(theirs) if theirs else None
