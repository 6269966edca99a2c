"""Private characters that stand for words whose phonemes are given.

A word of ``<phoneme>`` travels through sentence splitting and normalisation as one character of a
private plane. Private characters are taken out of every input, so none can come from outside.
"""

from __future__ import annotations

FIRST_MARK, LAST_MARK = 0xF0000, 0xFFFFD
MARKS = f"{chr(FIRST_MARK)}-{chr(LAST_MARK)}"


class Marks:
    """Hand out marks in turn, and remember what they stand for.

    They are used again after 65,534: no sentence is that long.
    """

    def __init__(self) -> None:
        self.phonemes: dict[str, str] = {}
        self.written: dict[str, str] = {}
        self._next = FIRST_MARK

    def add(self, written: str, phonemes: str) -> str:
        """Return a mark that is read as ``phonemes`` and shown as ``written``."""
        mark = chr(self._next)
        self._next = FIRST_MARK if self._next == LAST_MARK else self._next + 1
        self.phonemes[mark], self.written[mark] = phonemes, written
        return mark

    def shown(self, text: str) -> str:
        """Return text with what was written in the place of each mark."""
        return "".join(self.written.get(symbol, symbol) for symbol in text)
