"""Turn written English into words: what a reader says for figures, signs and short forms."""

from __future__ import annotations

import re

from autovoice.speak.text.english.amounts import AMOUNTS, MONEY
from autovoice.speak.text.english.clock import CLOCK
from autovoice.speak.text.english.numbers import cardinal, ordinal
from autovoice.speak.text.english.rules import Rule, apart, apply, rule, spelled_letters
from autovoice.speak.text.english.symbols import EMOJI, SIGNS
from autovoice.speak.text.english.tables import table
from autovoice.speak.text.english.web import WEB

_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_ROMAN = r"(?=[IVXLC])(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"


def roman(numeral: str) -> str:
    """Return the value of a Roman numeral below 400, in figures.

    >>> roman("XIV"), roman("XLIX")
    ('14', '49')
    """
    values = [_ROMAN_DIGITS[letter] for letter in numeral]
    signed = (
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
    return str(sum(signed))


def _monarch(match: re.Match[str]) -> str:
    return f"{match['name']} the {ordinal(roman(match['roman']))}"


def _numbered(match: re.Match[str]) -> str:
    return f"{match['what']} {cardinal(roman(match['roman']))}"


def _saint_or_street(match: re.Match[str]) -> str:
    before, after = match["before"], match["after"]
    street = bool(before) and not after
    return f"{before or ''}{'Street' if street else 'Saint'}{after or ''}"


def _doctor_or_drive(match: re.Match[str]) -> str:
    before, after = match["before"], match["after"]
    drive = bool(before) and not after
    return f"{before or ''}{'Drive' if drive else 'Doctor'}{after or ''}"


def _abbreviation(match: re.Match[str]) -> str:
    words = str(table("abbreviations")[match[0]])
    end = (
        "." if match[0].endswith(".") and not match.string[match.end() :].strip("\"'”’)] ") else ""
    )
    return words + end


def _initials(match: re.Match[str]) -> str:
    text = match[0]
    said = spelled_letters(re.sub(r"[^A-Za-z]", "", text))
    return said + ("." if not match.string[match.end() :].strip("\"'”’)] ") else " ")


_ABBREVIATED = "|".join(sorted(map(re.escape, table("abbreviations")), key=len, reverse=True))
_REGNAL, _NUMBERED = "|".join(table("regnal")), "|".join(table("numbered"))
ROMAN: tuple[Rule, ...] = (
    rule(rf"\b(?P<name>{_REGNAL})\s(?P<roman>(?!I\b){_ROMAN})(?![\w.]\w|\w)", _monarch),
    # "I" is a king's number where no verb of the first person can follow.
    rule(
        rf"\b(?P<name>{_REGNAL})\s(?P<roman>I)(?=\s*[,;:.!?)]|\s*$|\s(?:of|was|and|in|reigned|ruled|"
        r"died|became|who|had)\b)",
        _monarch,
    ),
    rule(rf"\b(?P<what>(?i:{_NUMBERED}))\s(?P<roman>{_ROMAN})(?![\w'’])", _numbered),
    rule(
        rf"\b(?P<roman>(?=[IVX]{{2,}}){_ROMAN})(?=\s(?:century|Century|dynasty|Dynasty))",
        lambda m: ordinal(roman(m["roman"])),
    ),
    rule(
        r"(?<![\w.'-])(?P<roman>II|III|VII|VIII|XII|XIII|XIV|XV|XVI|XVII|XVIII|XIX|XX|XXI|XXII|"
        r"XXIII|XXIV|XXV)(?![\w'’]|\.\w)",
        lambda m: cardinal(roman(m["roman"])),
    ),
)
SHORTHAND: tuple[Rule, ...] = (
    rule(
        r"\b([A-Z]{1,3})&([A-Z]{1,3})\b",
        lambda m: f"{spelled_letters(m[1])} and {spelled_letters(m[2])}",
    ),
    rule(
        r"(?P<before>\b[A-Z][a-z]+\s|\d(?:st|nd|rd|th)\s)?\bSt\.(?P<after>\s[A-Z])?",
        _saint_or_street,
    ),
    rule(r"(?P<before>\b[A-Z][a-z]+\s)?\bDr\.(?P<after>\s[A-Z])?", _doctor_or_drive),
    rule(r"\bDr\b(?=\s[A-Z])", lambda _: "Doctor"),
    rule(r"\bMr\b(?!\.)", lambda _: "Mister"),
    rule(r"\bMrs\b(?!\.)", lambda _: "Missus"),
    rule(r"\b[Ph]+\.\s?D\.", lambda _: apart(spelled_letters("PHD"))),
    rule(rf"(?<![\w.])(?:{_ABBREVIATED})(?!\w)", _abbreviation),
    # "U.S.", "J. R. R.", "e.e.": letters, each with its point.
    rule(r"(?<![\w.])(?:[A-Za-z]\.){2,}(?!\w)", _initials),
    rule(r"(?<![\w.])[A-Z]\.(?:[\s-]?[A-Z]\.)*(?=\s?[A-Z][a-z’'])", _initials),
)
_QUOTES = str.maketrans({
    "’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'", "„": '"', "‟": '"', "«": '"', "»": '"',
    "‹": '"', "›": '"', "“": '"', "”": '"', "‐": "-", "‑": "-", "‒": "–", "―": "—", "\u00a0": " ",
    "\u202f": " ", "\u2009": " ", "ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl",
})  # fmt: skip
_BEFORE: tuple[Rule, ...] = (
    rule(r"\bpp?\.\s?(?=\d)", lambda m: "pages " if m[0].startswith("pp") else "page "),
    rule(r"\b(?:ca?|circa)\.\s?(?=\d)", lambda _: "circa "),
    rule(r"\[(?:\d{1,3}|citation needed)\]", lambda _: ""),
    rule(r"(?<!\w)([*_]{1,3})(\S(?:[^*_\n]*\S)?)\1(?!\w)", lambda m: m[2]),
)
_AFTER: tuple[Rule, ...] = (
    rule(r"\s?(?:--+|—|–|(?<=\s)-(?=\s))\s?", lambda _: "—"),
    rule(r"\.\s?\.\s?\.(?:\s?\.)*", lambda _: "…"),
    rule(r"([!?])[!?]+", lambda m: "?" if "?" in m[0] else "!"),
    rule(r"\s-(?=\w)|\s+", lambda _: " "),
    rule(r"(?<=[(\[])\s|\s(?=[)\]])", lambda _: ""),
    rule(r"\s([,;:.!?…])", lambda m: m[1]),
    rule(r",(?=[,;:.!?…—])|(?<=[,;:.!?…—]),|(?<=[;:,])—|—(?=[,;:.!?])|^[,;\s—]+", lambda _: ""),
)


def normalise(text: str) -> str:
    """Return a sentence as words and punctuation; letters to spell carry a private mark.

    >>> normalise("Dr. Lee paid $5.99 at 3:45 p.m.").replace("\\ue000", "")
    'Doctor Lee paid five dollars and ninety-nine cents at three forty-five PM.'
    """
    text = text.translate(_QUOTES).strip()
    ended = bool(re.search(r"\.[\"')\]\s]*$", text))
    for rules in (_BEFORE, WEB, EMOJI, MONEY, CLOCK, ROMAN, AMOUNTS, SHORTHAND, SIGNS, _AFTER):
        text = apply(rules, text)
    text = text.strip()
    if ended and not re.search(r"[.!?…][\"')\]]*$", text):
        text += "."
    return text
