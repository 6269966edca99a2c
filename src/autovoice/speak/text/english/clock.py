"""Dates and times as English words."""

from __future__ import annotations

import re

from autovoice.speak.text.english.numbers import cardinal, ordinal, year
from autovoice.speak.text.english.rules import LETTER, Rule, apart, rule, spelled_letters
from autovoice.speak.text.english.tables import table

_FULL = tuple(table("months").values())
# "Sept." has four letters; "may" and "march" are words, so only the capital counts.
_MONTH = (
    r"(?P<month>" + "|".join(_FULL) + r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
)
_YEAR = r"(?P<year>[12]\d{3})(?!\d|,\d|\.\d)"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_HALF = r"(?P<half>[AaPp]\.?\s?[Mm]\b\.?)"


def _month(text: str) -> str:
    return str(table("months")[text[:3]])


def _date(match: re.Match[str]) -> str:
    groups = match.groupdict()
    words = f"{_month(match['month'])} {ordinal(match['day'])}"
    return apart(f"{words}, {year(groups['year'])}" if groups.get("year") else words)


def _day_first(match: re.Match[str]) -> str:
    words = f"the {ordinal(match['day'])} of {_month(match['month'])}"
    if match["the"]:
        words = words[4:]
    said = f"{words}, {year(match['year'])}" if match["year"] else words
    return f"{match['the'] or ''}{said}"


def date_in_figures(month: str, day: str, written_year: str) -> str | None:
    """Say a date; None when there is no such day. Month and day change places when they must.

    >>> date_in_figures("3", "14", "2024")
    'March fourteenth, twenty twenty-four'
    """
    if int(month) > 12:
        month, day = day, month
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    if len(written_year) == 2:
        written_year = ("19" if int(written_year) > 50 else "20") + written_year
    return f"{_FULL[int(month) - 1]} {ordinal(day)}, {year(written_year)}"


def _in_figures(month: str, day: str, written_year: str, whole: str) -> str:
    words = date_in_figures(month, day, written_year)
    return apart(words) if words else whole


def _iso(match: re.Match[str]) -> str:
    return _in_figures(match[2], match[3], match[1], match[0])


def _american(match: re.Match[str]) -> str:
    return _in_figures(match[1], match[3], match[4], match[0])


def _european(match: re.Match[str]) -> str:
    return _in_figures(match[2], match[1], match[3], match[0])


def clock(hour: str, minute: str, half: str = "") -> str:
    """Say a time of day.

    >>> clock("7", "05"), clock("10", "00"), clock("0", "15")
    ('seven oh five', "ten o'clock", 'zero fifteen')
    """
    if minute == "00":
        if half or int(hour) in (0, *range(13, 25)):
            words = cardinal(hour) if half else f"{cardinal(hour)} hundred"
        else:
            words = f"{cardinal(hour)} o'clock"
    else:
        low = minute[0] == "0"
        words = f"{cardinal(hour)} {'oh ' if low else ''}{cardinal(minute)}"
    return f"{words} {spelled_letters(half)}" if half else words


def _time(match: re.Match[str]) -> str:
    half = re.sub(r"[^a-zA-Z]", "", match["half"] or "")
    minute = match["minute"] or "00"
    said = clock(match["hour"], minute, half)
    if match["second"]:
        said += f" and {cardinal(match['second'])} seconds"
    return apart(said)


def _half_alone(match: re.Match[str]) -> str:
    return apart(spelled_letters(re.sub(r"[^a-zA-Z]", "", match["half"])))


def _era(match: re.Match[str]) -> str:
    letters = re.sub("[^A-Z]", "", match["era"])
    digits = match["year"].replace(",", "")
    words = year(digits) if len(digits) <= 4 else cardinal(digits)
    return apart(f"{words} {spelled_letters(letters)}")


CLOCK: tuple[Rule, ...] = (
    rule(r"(?<![\w./-])([12]\d{3})-([01]?\d)-([0-3]?\d)(?=T\d|\b)(?![\w/-]*-)", _iso),
    rule(r"(?<=[a-z] )T(?=\d\d:\d\d)", lambda _: ""),
    rule(r"(?<![\w./-])(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-])", _american),
    rule(r"(?<![\w./-])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w/-])", _european),
    rule(rf"\b{_MONTH}\s{_DAY},?\s{_YEAR}", _date),
    rule(
        rf"(?P<the>\b[Tt]he\s)?(?<![\w.,:$]){_DAY}(?:\sof)?\s{_MONTH}(?:,?\s{_YEAR})?", _day_first
    ),
    rule(rf"\b{_MONTH}\s{_DAY}(?![\w:,/]\d|\d|\s?%)", _date),
    rule(rf"\b{_MONTH},?\s{_YEAR}", lambda m: f"{_month(m['month'])} {year(m['year'])}"),
    rule(
        r"(?<![\w.])(?P<year>\d{1,2},\d{3}|\d{1,4})\s?"
        r"(?P<era>B\.C\.E\.|B\.C\.|A\.D\.|C\.E\.|BCE|BC|AD|CE)(?!\w)",
        _era,
    ),
    rule(
        r"(?<![\w.])(?P<era>A\.D\.|AD)\s(?P<year>\d{1,4})(?!\w)",
        lambda m: apart(f"{spelled_letters('AD')} {year(m['year'])}"),
    ),
    rule(
        r"(?<![\w:.])(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?\s?"
        + _HALF,
        _time,
    ),
    rule(
        r"(?<![\w:.])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
        r"(?P<half>)(?:\s?(?:h|hrs|o'clock)\b)?(?![\w:])",
        _time,
    ),
    rule(rf"(?<![\w:.])(?P<hour>1[0-2]|0?[1-9])(?P<minute>)(?P<second>)\s?{_HALF}", _time),
    rule(r"(?<=\w )(?P<half>[ap]\.\s?m\.)", _half_alone),
    rule(rf"(?<=M{LETTER})\s*[-–]\s*(?=\w|\d)", lambda _: " to "),
    rule(
        r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s?[-–]\s?(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b",
        lambda m: f"{table('days')[m[1]]} to {table('days')[m[2]]}",
    ),
    rule(
        r"(?<![\w:.])(\d{1,3}):(\d{1,3})(?![\w:])",
        lambda m: apart(f"{cardinal(m[1])} to {cardinal(m[2])}"),
    ),
)
