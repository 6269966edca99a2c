"""Which languages can be read, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autovoice.errors import InputError
from autovoice.speak.text.reader import Reader

_ALIASES = {"en": "en-us", "english": "en-us"}


def languages() -> tuple[str, ...]:
    """Return the codes of every language that can be read, sorted."""
    return tuple(sorted(_READERS))


def reader_of(language: str, lexicon: Mapping[str, str]) -> Reader:
    """Return the reader of a language.

    Args:
        language: a code such as "en-us", in any capitals, with - or _.
        lexicon: the user's own pronunciations.

    Raises:
        InputError: the language is unknown.
    """
    code = language.strip().lower().replace("_", "-")
    code = _ALIASES.get(code, code)
    if code not in _READERS:
        raise InputError(
            f"language: found {language!r}, expected one of {', '.join(languages())}; "
            "docs/speak-text.md says what each can do"
        )
    return _READERS[code](lexicon)


def _american(lexicon: Mapping[str, str]) -> Reader:
    from autovoice.speak.text.english.dictionary import american
    from autovoice.speak.text.english.reader import EnglishReader
    from autovoice.speak.text.english.spelling import speller

    return EnglishReader(american(), speller(), lexicon)


_READERS: dict[str, Callable[[Mapping[str, str]], Reader]] = {"en-us": _american}
