"""Which languages can be read, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autovoice.errors import InputError
from autovoice.speak.text.espeak import PREFIX, EspeakReader
from autovoice.speak.text.reader import Reader
from autovoice.speak.text.spelled import SPELLED

_ALIASES = {"en": "en-us", "pt": "pt-br", "zh-cn": "zh", "cmn": "zh", "es-es": "es", "fr-fr": "fr",
            "it-it": "it", "ja-jp": "ja", "hi-in": "hi"}  # fmt: skip


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
    code = checked_language(language)
    if code.startswith(PREFIX):
        return EspeakReader(code.removeprefix(PREFIX), lexicon)
    return _READERS[code](lexicon)


def checked_language(language: str) -> str:
    """Return the code of a language, without reading its dictionary.

    Args:
        language: a code such as "en-us", in any capitals, with - or _.

    Raises:
        InputError: the language is unknown. Whether espeak-ng knows one is not looked at.
    """
    code = language.strip().lower().replace("_", "-")
    code = _ALIASES.get(code, code)
    if code not in _READERS and not code.startswith(PREFIX):
        raise InputError(
            f"language: found {language!r}, expected one of {', '.join(languages())}, or "
            f"{PREFIX}CODE where espeak-ng is installed; docs/speak-text.md says what each can do"
        )
    return code


def _american(lexicon: Mapping[str, str]) -> Reader:
    from autovoice.speak.text.english.dictionary import american
    from autovoice.speak.text.english.reader import EnglishReader
    from autovoice.speak.text.english.spelling import speller

    return EnglishReader(american(), speller(), lexicon)


def _mandarin(lexicon: Mapping[str, str]) -> Reader:
    from autovoice.speak.text.asian.mandarin import MandarinReader

    return MandarinReader(lexicon)


def _japanese(lexicon: Mapping[str, str]) -> Reader:
    from autovoice.speak.text.asian.japanese import JapaneseReader

    return JapaneseReader(lexicon)


def _hindi(lexicon: Mapping[str, str]) -> Reader:
    from autovoice.speak.text.asian.hindi import HindiReader

    return HindiReader(lexicon)


def _spelled(language: str) -> Callable[[Mapping[str, str]], Reader]:
    def made(lexicon: Mapping[str, str]) -> Reader:
        from autovoice.speak.text.spelled.reader import SpelledReader

        return SpelledReader(language, lexicon)

    return made


_READERS: dict[str, Callable[[Mapping[str, str]], Reader]] = {
    "en-us": _american,
    "hi": _hindi,
    "ja": _japanese,
    "zh": _mandarin,
    **{language: _spelled(language) for language in SPELLED},
}
