"""What every language offers: written text to words, words to phonemes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Reader(Protocol):
    """A language that can be read aloud.

    Args:
        scripts: first words of the Unicode names of the letters that it reads (``LATIN``).
        english: IPA in markup is read as English.
    """

    scripts: frozenset[str]
    english: bool

    def words(self, text: str) -> str:
        """Return what is said for figures, signs and short forms, as words and punctuation."""
        ...

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return Kokoro's phonemes of :meth:`words`; a private mark is said as ``marked`` says."""
        ...

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return text as words, read as SSML's ``interpret-as`` wants it.

        Args:
            kind: ``characters``, ``cardinal``, ``date``, ...
            layout: SSML's ``format``, such as ``dmy``; may be empty.

        Raises:
            InputError: the language cannot read text that way.
        """
        ...
