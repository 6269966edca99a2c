"""Money, percent, units, fractions, ranges and other numbers, as English words."""

from __future__ import annotations

import re

from autovoice.speak.text.english.numbers import (
    cardinal,
    decimal,
    fraction,
    ordinal,
    plural,
    spelled_digits,
    year,
)
from autovoice.speak.text.english.rules import (
    NO_DIGIT_BEFORE,
    NUMBER,
    Rule,
    apart,
    rule,
    spelled_letters,
)
from autovoice.speak.text.english.tables import table

_SYMBOLS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "₩": ("won", "won", "jeon", "jeon"),
    "₽": ("ruble", "rubles", "kopek", "kopeks"),
    "₿": ("bitcoin", "bitcoins", "satoshi", "satoshis"),
}
_CODES = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹", "KRW": "₩", "RUB": "₽"}
_SCALES = {
    "k": "thousand", "m": "million", "mn": "million", "mm": "million", "b": "billion",
    "bn": "billion", "t": "trillion", "tn": "trillion",
}  # fmt: skip
_SCALE = r"(?:\s?(?P<scale>hundred|thousand|million|billion|trillion)\b|(?P<short>[kKmMbBtT]n?)\b)?"
_SYMBOL = "[" + "".join(_SYMBOLS) + "]"
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5",
    "⅗": "3/5", "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip


def _money(match: re.Match[str]) -> str:
    groups = match.groupdict()
    symbol = groups.get("symbol") or _CODES[groups["code"]]
    amount = match["amount"].replace(",", "")
    scale = groups.get("scale") or _SCALES.get((groups.get("short") or "").lower(), "")
    return apart(money(amount, symbol, scale))


def money(amount: str, symbol: str, scale: str = "") -> str:
    """Say an amount of money.

    >>> money("5.99", "$"), money("1", "£"), money("0.50", "€"), money("3.5", "$", "million")
    ('five dollars and ninety-nine cents', 'one pound', 'fifty cents', 'three point five million dollars')
    """  # noqa: E501
    one, many, small_one, small_many = _SYMBOLS[symbol]
    if scale:
        return f"{decimal(amount)} {scale} {many}"
    whole, _, part = amount.partition(".")
    if part and len(part) != 2:
        return f"{decimal(amount)} {many}"
    major = f"{cardinal(whole)} {one if int(whole or 0) == 1 else many}"
    minor = int(part or 0)
    if not minor:
        return major
    small = f"{cardinal(str(minor))} {small_one if minor == 1 else small_many}"
    return small if not int(whole or 0) else f"{major} and {small}"


def _unit(match: re.Match[str]) -> str:
    one, many = table("units")[match["unit"]]
    single = match["amount"] in ("1", "1.0") or match["hyphen"] == "-"
    return apart(f"{_sign(match)}{decimal(match['amount'])} {one if single else many}")


def _sign(match: re.Match[str]) -> str:
    return "minus " if match.groupdict().get("sign") else ""


def _range(match: re.Match[str]) -> str:
    first, second = match["first"], match["second"]
    both_years = len(first) == 4 and len(second) in (2, 4) and "." not in first + second
    if both_years and _is_year(first):
        return apart(f"{year(first)} to {year(second) if len(second) == 4 else cardinal(second)}")
    return apart(f"{decimal(first)} to {decimal(second)}")


def _unit_range(match: re.Match[str]) -> str:
    many = table("units")[match["unit"]][1]
    return apart(f"{decimal(match['first'])} to {decimal(match['second'])} {many}")


def _part_of_unit(match: re.Match[str]) -> str:
    return f"{match[1]} {table('units')[match['unit']][0]}"


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and digits.isdecimal() and 1010 <= int(digits) <= 2099


def _number(match: re.Match[str]) -> str:
    digits = match["amount"]
    if _is_year(digits):
        return apart(_sign(match) + year(digits))
    if len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
        return apart(_sign(match) + spelled_digits(digits, zero="oh"))
    return apart(_sign(match) + decimal(digits))


def _decade(match: re.Match[str]) -> str:
    digits = match["digits"]
    words = year(digits) if len(digits) == 4 else cardinal(digits)
    return apart(plural(words))


def _version(match: re.Match[str]) -> str:
    return apart(" point ".join(cardinal(part) for part in match[0].split(".")))


def _mixed(match: re.Match[str]) -> str:
    """Say what mixes letters with digits: ``COVID-19``, ``B2B``, ``4K``, ``mp3``, ``A4``."""
    said = []
    for part in re.findall(r"[^\W\d_]+|\d+", match[0]):
        if part.isdecimal():
            said.append(year(part) if _is_year(part) else cardinal(part))
        elif len(part) <= 3 and (part.isupper() or not re.search("[aeiouy]", part.lower())):
            said.append(spelled_letters(part))
        else:
            said.append(part)
    return apart(" ".join(said))


def _feet(match: re.Match[str]) -> str:
    feet = match["feet"]
    inches = f" {decimal(match['inches'])} {'inch' if match['inches'] == '1' else 'inches'}"
    return apart(f"{cardinal(feet)} {'foot' if feet == '1' else 'feet'}{inches}")


def _mixed_fraction(match: re.Match[str]) -> str:
    part = fraction(match["over"], match["under"])
    part = part.replace("one half", "a half").replace("one quarter", "a quarter")
    return apart(f"{cardinal(match['whole'])} and {part}")


def _with_vulgar(match: re.Match[str]) -> str:
    over, under = _VULGAR[match["part"]].split("/")
    whole = match["whole"]
    return f" {whole} {over}/{under} " if whole else f" {over}/{under} "


_UNITS = "|".join(sorted(map(re.escape, table("units")), key=len, reverse=True))
MONEY: tuple[Rule, ...] = (
    rule(rf"(?:US|CA|A|C)?(?P<symbol>{_SYMBOL})\s?(?P<amount>{NUMBER}){_SCALE}", _money),
    rule(rf"{NO_DIGIT_BEFORE}(?P<amount>{NUMBER}){_SCALE}\s?(?P<symbol>{_SYMBOL})", _money),
    rule(
        rf"{NO_DIGIT_BEFORE}(?P<amount>{NUMBER}){_SCALE}\s?(?P<code>{'|'.join(_CODES)})\b", _money
    ),
    rule(rf"\b(?P<code>{'|'.join(_CODES)})\s?(?P<amount>{NUMBER}){_SCALE}", _money),
    rule(
        rf"{NO_DIGIT_BEFORE}(?P<amount>{NUMBER})\s?¢",
        lambda m: apart(f"{decimal(m['amount'])} {'cent' if m['amount'] == '1' else 'cents'}"),
    ),
)
AMOUNTS: tuple[Rule, ...] = (
    rule(r"(?<!\w)['’]?(?P<digits>\d\d(?:\d\d)?)['’]?s\b", _decade),
    rule(rf"(?P<whole>\d*)\s?(?P<part>[{''.join(_VULGAR)}])", _with_vulgar),
    rule(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w])", _version),
    rule(r"(?<!\w)(?P<feet>\d)['′]\s?(?P<inches>\d{1,2}(?:\.\d+)?)(?:[\"″]|'')", _feet),
    rule(rf"{NO_DIGIT_BEFORE}(?P<first>{NUMBER})\s?[-–—−]\s?(?P<second>{NUMBER})(?=\s?%)", _range),
    rule(
        rf"{NO_DIGIT_BEFORE}(?P<first>{NUMBER})\s?[-–−]\s?(?P<second>{NUMBER})"
        rf"\s?(?P<unit>{_UNITS})(?![\w²³])",
        _unit_range,
    ),
    rule(rf"{NO_DIGIT_BEFORE}(?P<first>{NUMBER})\s?[-–−]\s?(?P<second>{NUMBER})(?![\w-])", _range),
    rule(r"(?<![\w/.])(?P<whole>\d+)\s(?P<over>\d+)[/⁄](?P<under>\d+)(?![\w/])", _mixed_fraction),
    rule(
        r"(?<![\w/.])(\d+)[/⁄](\d+)(?![\w/])",
        lambda m: apart(fraction(m[1], m[2])),
    ),
    rule(rf"\b(half|quarters?|thirds?|eighths?)\s+(?P<unit>{_UNITS})(?![\w²³])", _part_of_unit),
    rule(
        rf"(?P<sign>(?<![\w.])[-−])?(?<![\d.,])(?P<amount>{NUMBER})\s?%",
        lambda m: apart(f"{_sign(m)}{decimal(m['amount'])} percent"),
    ),
    rule(r"(?<=[a-z])\s?%", lambda _: " percent"),
    rule(
        rf"(?P<sign>(?<![\w.])[-−])?(?<![\w.,])(?P<amount>{NUMBER})(?P<hyphen>[-\s]?)"
        rf"(?P<unit>{_UNITS})(?![\w²³])",
        _unit,
    ),
    rule(
        r"(?<!\w)(\d[\d,]*)(?:st|nd|rd|th)\b",
        lambda m: apart(ordinal(m[1].replace(",", ""))),
        any_case=True,
    ),
    rule(
        r"(?i:\b(?:no|nr|num)\.\s?|(?<!\w)#)(?P<amount>\d[\d,]*)",
        lambda m: apart(f"number {cardinal(m['amount'].replace(',', ''))}"),
    ),
    rule(
        r"(?i:\bnos\.\s?)(?P<amount>\d[\d,]*)",
        lambda m: apart(f"numbers {cardinal(m['amount'].replace(',', ''))}"),
    ),
    rule(
        r"(?<!\w)['’](\d\d)(?!\w)",
        lambda m: apart(cardinal(m[1]) if m[1][0] != "0" else spelled_digits(m[1], zero="oh")),
    ),
    rule(
        rf"{NO_DIGIT_BEFORE}(?P<amount>{NUMBER})(?P<short>[kKM])\b(?!\w)",
        lambda m: (
            apart(f"{decimal(m['amount'])} {_SCALES[m['short'].lower()]}")
            if m["short"] != "K" or "." in m["amount"] or len(m["amount"]) > 1
            else apart(f"{decimal(m['amount'])} {spelled_letters('K')}")
        ),
    ),
    rule(r"(?<![\w.,])(?:[^\W\d_]+-?\d+|\d+[^\W\d_]+)[^\W_]*(?:-\d+)?", _mixed),
    rule(rf"(?P<sign>(?<![\w.])[-−])?(?<![\d.])(?P<amount>{NUMBER})", _number),
)
