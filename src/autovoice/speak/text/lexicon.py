"""The user's own pronunciations: words to Kokoro's phonemes, from a file or a mapping."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import checked, from_ipa

LARGEST_BYTES = 50_000_000


def read(path: str | Path) -> dict[str, str]:
    """Read a lexicon: JSON (one object), or lines of word, tab, phonemes; ``#`` starts a comment.

    Phonemes are in Kokoro's alphabet, or in IPA between slashes (``/ˈkɪf.lə/``).

    Raises:
        InputError: the file cannot be read, a line has no tab, a phoneme is unknown.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{path}: found more than {LARGEST_BYTES} bytes in a lexicon")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable lexicon in UTF-8 ({error})") from error
    if path.suffix.lower() == ".json" or text.lstrip().startswith("{"):
        return validated(_object(text, path), path.name)
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, phonemes = line.partition("\t")
        if not tab:
            raise InputError(
                f"{path.name}, line {number}: found {line[:40]!r}, expected a word, a tab and its "
                "phonemes"
            )
        entries.update(validated({word: phonemes}, f"{path.name}, line {number}"))
    return entries


def validated(entries: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the entries with each word trimmed and each sound checked.

    Raises:
        InputError: an empty word, or an unknown phoneme.
    """
    good: dict[str, str] = {}
    for word, phonemes in entries.items():
        trimmed, sounds = word.strip(), phonemes.strip()
        if not trimmed or any(symbol.isspace() for symbol in trimmed):
            raise InputError(f"{where}: found {word!r}, expected one word without spaces")
        if len(sounds) > 2 and sounds[0] == sounds[-1] == "/":
            sounds = from_ipa(sounds)
        good[trimmed] = checked(sounds, f"{where}: {trimmed}")
    return good


def _object(text: str, path: Path) -> dict[str, str]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path.name}: not readable as JSON ({error})") from error
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise InputError(f"{path.name}: expected one JSON object of words and their phonemes")
    return data
