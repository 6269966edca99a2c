"""SSML's ``say-as`` in English."""

from __future__ import annotations

import re
from collections.abc import Callable

from autovoice.errors import InputError
from autovoice.speak.text.english.amounts import AMOUNTS, MONEY
from autovoice.speak.text.english.clock import CLOCK, date_in_figures
from autovoice.speak.text.english.normalise import normalise
from autovoice.speak.text.english.numbers import (
    cardinal,
    decimal,
    fraction,
    ordinal,
    spelled_digits,
)
from autovoice.speak.text.english.rules import Rule, apply, spelled_letters
from autovoice.speak.text.english.tables import table
from autovoice.speak.text.english.web import telephone


def say_as(kind: str, text: str, layout: str) -> str:
    """Return text as words, read the way that is asked for.

    Raises:
        InputError: the way is unknown, or the text is not of that kind.
    """
    if kind not in _WAYS:
        raise InputError(
            f"<say-as>: found interpret-as={kind!r}, expected one of {', '.join(sorted(_WAYS))}"
        )
    words = _WAYS[kind](text, layout)
    if words is None:
        raise InputError(f"<say-as>: found {text!r}, expected a {kind}")
    return " ".join(words.split())


def _characters(text: str, _: str) -> str | None:
    said = []
    for symbol in text:
        if symbol.isascii() and symbol.isalpha():
            said.append(spelled_letters(symbol))
        elif symbol.isascii() and symbol.isdecimal():
            said.append(spelled_digits(symbol))
        else:
            said.append(str(_NAMES.get(symbol) or table("symbols").get(symbol, " ")))
    return ", ".join(part for part in said if part.strip()) or None


def _number(text: str, _: str) -> str | None:
    match = re.fullmatch(r"([-−]?)([\d,]+(?:\.\d+)?)", text)
    return f"{'minus ' if match[1] else ''}{decimal(match[2])}" if match else None


def _ordinal(text: str, _: str) -> str | None:
    match = re.fullmatch(r"([\d,]+)(?:st|nd|rd|th)?", text)
    return ordinal(match[1].replace(",", "")) if match else None


def _digits(text: str, _: str) -> str | None:
    return spelled_digits(re.sub(r"\D", "", text)) or None


def _fraction(text: str, _: str) -> str | None:
    match = re.fullmatch(r"(?:(\d+)[\s+])?(\d+)\s?[/⁄]\s?(\d+)", text)
    if not match:
        return None
    whole = f"{cardinal(match[1])} and " if match[1] else ""
    return whole + fraction(match[2], match[3])


def _telephone(text: str, _: str) -> str | None:
    return telephone(text) if re.search(r"\d", text) else None


def _date(text: str, layout: str) -> str | None:
    parts = re.findall(r"\d+", text)
    order = layout.lower() or ("ymd" if parts and len(parts[0]) == 4 else "mdy")
    if sorted(order) == sorted("dmy") and len(parts) == 3:
        given = dict(zip(order, parts, strict=True))
        return date_in_figures(given["m"], given["d"], given["y"])
    return _ruled(CLOCK, text)


def _ruled(rules: tuple[Rule, ...], text: str) -> str | None:
    said = apply(rules, text)
    return said if said != text else None


_NAMES = {
    ".": "dot", ",": "comma", "-": "dash", "_": "underscore", "/": "slash", ":": "colon",
    "?": "question mark", "!": "exclamation mark", "*": "star", "'": "apostrophe",
}  # fmt: skip
_WAYS: dict[str, Callable[[str, str], str | None]] = {
    "characters": _characters,
    "spell-out": _characters,
    "cardinal": _number,
    "number": _number,
    "ordinal": _ordinal,
    "digits": _digits,
    "fraction": _fraction,
    "telephone": _telephone,
    "date": _date,
    "time": lambda text, _: _ruled(CLOCK, text),
    "currency": lambda text, _: _ruled(MONEY, text),
    "unit": lambda text, _: _ruled(AMOUNTS, text),
    "address": lambda text, _: normalise(text) or None,
}
