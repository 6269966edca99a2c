"""The English dictionary: a word, perhaps with its part of speech, to Kokoro's phonemes."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autovoice import weights
from autovoice.errors import WeightsError

Entry = str | Mapping[str, str | None]
# Kokoro 1.0 learned the flap of "water" as T, and "button" with a plain t.
_LEARNED = str.maketrans({"ɾ": "T", "ʔ": "t"})


class Dictionary:
    """Look words up as they are written, then with other capitals.

    Args:
        entries: word -> phonemes, or -> a mapping by part of speech (Penn Treebank tags, ``NOUN``,
            ``VERB``, ``ADJ``, ``ADV``; ``None`` for the last word of a sentence) with ``DEFAULT``.
    """

    def __init__(self, entries: Mapping[str, Entry | None]) -> None:
        self._entries = {word: entry for word, entry in entries.items() if entry}

    def __contains__(self, word: str) -> bool:
        return self._find(word) is not None

    def words(self) -> list[str]:
        """Return every word as it is written there, sorted."""
        return sorted(self._entries)

    def varies(self, word: str) -> bool:
        """Tell whether the word sounds differently by its part of speech."""
        return isinstance(self._find(word), Mapping)

    def is_initialism(self, word: str) -> bool:
        """Tell whether these capitals are spelled as a noun (``US``), a word otherwise."""
        entry = self._entries.get(word)
        return isinstance(entry, Mapping) and "NOUN" in entry and entry["NOUN"] is None

    def exact(self, word: str) -> str | None:
        """Return the phonemes of a word in just these capitals; None when unknown."""
        return self._said(self._entries.get(word), None)

    def look_up(self, word: str, part: str | None = None) -> str | None:
        """Return the phonemes of a word, or None when it is unknown.

        Args:
            part: its part of speech; an unknown or missing one gives the default sound.
        """
        return self._said(self._find(word), part)

    def _find(self, word: str) -> Entry | None:
        for form in (word, word.lower(), word.capitalize()):
            if form in self._entries:
                return self._entries[form]
        return None

    @staticmethod
    def _said(entry: Entry | None, part: str | None) -> str | None:
        if isinstance(entry, Mapping):
            general = {"VBD": "VERB", "VBN": "VERB", "VBP": "VERB"}.get(part or "")
            entry = entry.get(part or "") or entry.get(general or "") or entry.get("DEFAULT")
        return entry.translate(_LEARNED) if entry else None


@functools.cache
def american() -> Dictionary:
    """Return misaki's American dictionary: 90,000 checked entries over 93,000 derived ones.

    Raises:
        WeightsError: it cannot be fetched, or is not readable.
    """
    entries: dict[str, Any] = {}
    for name in ("us_silver.json", "us_gold.json"):
        path = weights.file("misaki-en", name)
        entries.update(_read(path))
    return Dictionary(MappingProxyType(entries))


def _read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a readable dictionary ({error}); run `autovoice models verify`"
        ) from error
    return data
