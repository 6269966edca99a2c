"""Read Spanish, French, Italian and Portuguese: figures and signs to words, words to phonemes."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import vocabulary
from autovoice.speak.text.spelled.numbers import number_words
from autovoice.speak.text.spelled.spelling import read_words, spelling_of

_PLACES = re.compile(r"(?<!\d)(\d{1,2})(?:º|°(?=\s[a-z])|\.º|er\b|ère\b|e\b|ème\b)")
_WAYS = ("cardinal", "characters", "digits", "number", "spell-out")


@functools.cache
def _word_tables() -> Mapping[str, Any]:
    path = Path(__file__).with_name("words.json")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


class SpelledReader:
    """Read one of the languages whose spelling tells how they sound.

    Args:
        language: "es", "fr", "it" or "pt-br".
        lexicon: the user's own pronunciations.
    """

    scripts = frozenset({"LATIN", "FEMININE", "MASCULINE", "MODIFIER"})
    english = False

    def __init__(self, language: str, lexicon: Mapping[str, str]) -> None:
        self._language = language
        self._spelling = spelling_of(language)
        self._table: Mapping[str, Any] = _word_tables()[language]
        self._lexicon = {word.lower(): said for word, said in lexicon.items()}
        group, point = self._table["thousands"], self._table["decimal"]
        space = r"[\s\u00a0\u202f]" if group == " " else re.escape(group)
        self._number = re.compile(
            rf"(?<![\w,.])([-−]?)(\d{{1,3}}(?:{space}\d{{3}})+|\d+)(?:{re.escape(point)}(\d+))?"
        )
        short = sorted(map(re.escape, self._table["abbreviations"]), key=len, reverse=True)
        self._short = re.compile(rf"(?<![\w.])(?:{'|'.join(short)})(?!\w)", re.IGNORECASE)
        signs = sorted(map(re.escape, self._table["signs"]), key=len, reverse=True)
        self._signs = re.compile("|".join(signs))

    def words(self, text: str) -> str:
        """Return what is said for figures, signs and short forms."""
        text = text.replace("’", "'").replace("ª", "º")
        text = _PLACES.sub(self._place, text)
        text = re.sub(r"(R\$|[€$£])\s?(\d[\d.,]*\d|\d)", r"\2 \1", text)
        text = re.sub(r"(?<!\d)([01]?\d|2[0-3])[:h]([0-5]\d)(?!\d)", self._time, text)
        text = self._short.sub(self._abbreviation, text)
        text = re.sub(r"(?<=\d)\s?[-–]\s?(?=\d)", f" {self._table['to']} ", text)
        text = re.sub(r"(?<=\d)\s?%", f" {self._table['percent']}", text)
        text = self._number.sub(self._said_number, text)
        text = re.sub(r"\d+", lambda m: f" {number_words(m[0], self._language)} ", text)
        text = self._signs.sub(lambda m: f" {self._table['signs'][m[0]]} ", text)
        text = re.sub(r"\b[A-Z]{2,4}\b", self._initials, text)
        text = re.sub(r"[¡¿\"“”«»()\[\]]", " ", text)
        text = re.sub(r"\s?(?:--+|—|–|\s-\s)\s?", "—", text)
        text = re.sub(r"\.{2,}", "…", text)
        return re.sub(r"\s+([,;:.!?…])", r"\1", " ".join(text.split()))

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return the phonemes of words; symbols that Kokoro does not know are left out."""
        said = read_words(text, self._spelling, self._lexicon, marked or {})
        return "".join(symbol for symbol in said if symbol in vocabulary())

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return text as words: numbers, digits and letters only.

        Raises:
            InputError: another kind, or not of that kind.
        """
        del layout
        digits = re.sub(r"\D", "", text)
        if kind in ("cardinal", "number") and digits:
            return number_words(digits, self._language)
        if kind == "digits" and digits:
            return " ".join(number_words(digit, self._language) for digit in digits)
        if kind in ("characters", "spell-out"):
            return self._spelled_out(text)
        raise InputError(
            f"<say-as>: found interpret-as={kind!r} around {text!r}, expected one of "
            f"{', '.join(_WAYS)} in {self._language!r}"
        )

    def _said_number(self, match: re.Match[str]) -> str:
        words = f"{self._table['minus']} " if match[1] else ""
        words += number_words(re.sub(r"\D", "", match[2]), self._language)
        if match[3]:
            part = match[3]
            digits = " ".join(number_words(digit, self._language) for digit in part)
            whole = number_words(part, self._language) if len(part) <= 2 else digits
            words += f" {self._table['point']} {whole}"
        noun = re.match(r"\s+(?!de\b|por\b|y\b|en\b|a\b|o\b)[a-zñ]", match.string[match.end() :])
        if self._language == "es" and noun and words.endswith("uno"):
            words = words[:-3] + "ún" if words.endswith("iuno") else words[:-1]
        return f" {words} "

    def _place(self, match: re.Match[str]) -> str:
        named: str | None = self._table["ordinals"].get(match[1])
        return named or match[0]

    def _time(self, match: re.Match[str]) -> str:
        hour, minute = (number_words(str(int(part)), self._language) for part in match.groups())
        said: str = self._table["time"].format(h=hour, m=minute if match[2] != "00" else "")
        return said.removesuffix(" e ").removesuffix(" y ").strip()

    def _abbreviation(self, match: re.Match[str]) -> str:
        found: str = self._table["abbreviations"][match[0].lower()]
        return found

    def _initials(self, match: re.Match[str]) -> str:
        # A word in capitals, or a short form that nobody could say as a word.
        if re.search("[AEIOU]", match[0]) and len(match[0]) > 2:
            return match[0]
        return self._spelled_out(match[0])

    def _spelled_out(self, text: str) -> str:
        names = self._table["letters"].split()
        said = []
        for symbol in text.lower():
            if "a" <= symbol <= "z":
                said.append(names[ord(symbol) - ord("a")])
            elif symbol.isdecimal():
                said.append(number_words(symbol, self._language))
        return " ".join(said)
