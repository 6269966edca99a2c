"""Addresses, handles and telephone numbers as English words."""

from __future__ import annotations

import re

from autovoice.speak.text.english.numbers import cardinal, spelled_digits
from autovoice.speak.text.english.rules import Rule, apart, rule, spelled_letters

_TLD = (
    "com|org|net|edu|gov|mil|int|io|ai|co|uk|us|ca|de|fr|es|it|nl|se|no|eu|ch|at|be|pl|ru|cn|jp|in|"
    "br|au|nz|za|mx|info|biz|dev|app|me|tv|fm|xyz|online|site|tech|museum|name"
)
_HOST = rf"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:{_TLD})\b"
_MARKS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon",
    "?": "question mark", "=": "equals", "&": "and", "#": "hash", "~": "tilde", "+": "plus",
    "%": "percent",
}  # fmt: skip
_KNOWN = {"www": "WWW", "http": "HTTP", "https": "HTTPS", "html": "HTML", "php": "PHP", "io": "IO"}
_SAID_AS_WORDS = {"com", "org", "net", "gov", "info", "biz", "dev", "app", "mil"}


def address(text: str) -> str:
    """Say an address piece by piece, letters where a piece is no word.

    >>> address("example.com/a_b").replace("\\ue000", "")
    'example dot com slash A underscore B'
    """
    said = []
    for part in re.findall(r"[^\W\d_]+|\d+|[^\w\s]|_", text):
        if part.isdecimal():
            said.append(cardinal(part) if len(part) <= 2 else spelled_digits(part))
        elif part in _MARKS:
            said.append(_MARKS[part])
        elif part.lower() in _KNOWN:
            said.append(spelled_letters(_KNOWN[part.lower()]))
        elif part.isalpha():
            # Without a vowel, or two letters of a country: nobody says that as a word.
            as_word = part.lower() in _SAID_AS_WORDS or (
                len(part) > 2 and re.search("[aeiouy]", part.lower())
            )
            said.append(part if as_word else spelled_letters(part))
    return " ".join(said)


def _url(match: re.Match[str]) -> str:
    text, end = match[0], ""
    while text[-1] in ".,;:!?)'\"":
        text, end = text[:-1], text[-1] + end
    text = re.sub(r"^https?://(?:www\.)?|^www\.", "", text, flags=re.IGNORECASE).rstrip("/")
    return apart(address(text)) + end


def _handle(match: re.Match[str]) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", match[2].replace("_", " "))
    return apart(f"{'at' if match[1] == '@' else 'hashtag'} {words}")


def telephone(text: str) -> str:
    """Say a telephone number digit by digit, a short rest between its groups.

    >>> telephone("+1 (555) 010-4477")
    'plus one, five five five, oh one oh, four four seven seven'
    """
    groups = re.findall(r"\d+", text)
    said = ", ".join(spelled_digits(group, zero="oh") for group in groups)
    return f"plus {said}" if text.lstrip().startswith("+") else said


WEB: tuple[Rule, ...] = (
    rule(rf"[\w.+-]+@{_HOST}", lambda m: apart(address(m[0])), any_case=True),
    rule(r"(?:https?://|www\.)[^\s<>“”\"]+", _url, any_case=True),
    rule(rf"(?<![\w.@]){_HOST}(?:/[^\s<>“”\"]*)?(?![\w@])", _url),
    rule(r"(?<![\w@#])([@#])([A-Za-z]\w+)", _handle),
    rule(
        r"(?<![\w+])\+\d{1,3}[\s.-]?(?:\(\d{1,4}\)[\s.-]?)?\d{2,4}(?:[\s.-]?\d{2,4}){1,4}(?!\w)",
        lambda m: apart(telephone(m[0])),
    ),
    rule(
        r"(?<![\w(.-])(?:1[-.\s])?(?:\(\d{3}\)\s?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])",
        lambda m: apart(telephone(m[0])),
    ),
    rule(r"(?<![\w.-])\d{3}-\d{4}(?![\w-])", lambda m: apart(telephone(m[0]))),
)
