"""A user's lexicon: how words are to be said."""

from __future__ import annotations

import json
from pathlib import Path

from autovoice.errors import InputError

MOST_BYTES = 16_000_000


def read_lexicon(path: Path) -> dict[str, str]:
    """Read a lexicon: one ``word<TAB>phonemes`` a line, or a JSON object.

    Empty lines and lines that begin with ``#`` are left out. Whether the phonemes are known is
    checked where they are spoken.

    Args:
        path: UTF-8; ``.json`` for JSON.

    Raises:
        InputError: it cannot be read, or says something else; the message names the line.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: found {path.stat().st_size} bytes, expected a lexicon")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return _of_json(path, text) if path.suffix.lower() == ".json" else _of_lines(path, text)


def _of_json(path: Path, text: str) -> dict[str, str]:
    try:
        entries = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: found no JSON ({error})") from error
    if not isinstance(entries, dict) or not all(
        isinstance(value, str) and value.strip() and key.strip() for key, value in entries.items()
    ):
        raise InputError(f'{path}: expected an object such as {{"kumo": "kˈumO"}}')
    return entries


def _of_lines(path: Path, text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, phonemes = line.partition("\t")
        if not tab or not word.strip() or not phonemes.strip():
            raise InputError(
                f"{path}, line {number}: found {line[:60]!r}, expected a word, a tab and phonemes"
            )
        entries[word.strip()] = phonemes.strip()
    return entries
