"""English words for numbers: cardinals, ordinals, years, digits, decimals, fractions."""

from __future__ import annotations

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = (
    "zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_GROUPS = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
LONGEST_DIGITS = 21


def cardinal(digits: str) -> str:
    """Say a whole number; one that is too long for a name is said digit by digit.

    >>> cardinal("1905")
    'one thousand nine hundred five'
    """
    digits = digits.lstrip("0") or "0"
    if len(digits) > LONGEST_DIGITS:
        return spelled_digits(digits)
    if digits == "0":
        return "zero"
    head = len(digits) % 3
    groups = [digits[:head]] if head else []
    groups += [digits[place : place + 3] for place in range(head, len(digits), 3)]
    words = []
    for power, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        if int(group):
            words += [_hundreds(int(group)), _GROUPS[power]]
    return " ".join(word for word in words if word)


def _hundreds(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [_SMALL[hundreds], "hundred"] if hundreds else []
    return " ".join([*words, _below_hundred(rest)] if rest else words)


def _below_hundred(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, rest = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[rest]}" if rest else "")


def ordinal(digits: str) -> str:
    """Say a place in an order.

    >>> ordinal("21")
    'twenty-first'
    """
    return as_ordinal(cardinal(digits))


def as_ordinal(words: str) -> str:
    """Turn the last word of a cardinal into an ordinal."""
    place = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[place:]
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return words[:place] + last


def year(digits: str) -> str:
    """Say a year of one to four digits the way people do.

    >>> [year(y) for y in ("1984", "1905", "1900", "2000", "2007", "2024", "476")]  # doctest: +NORMALIZE_WHITESPACE
    ['nineteen eighty-four', 'nineteen oh five', 'nineteen hundred', 'two thousand',
     'two thousand seven', 'twenty twenty-four', 'four seventy-six']
    """  # noqa: E501
    number = int(digits)
    century, rest = divmod(number, 100)
    if not 100 <= number <= 9999 or number % 1000 == 0 or 2000 < number < 2010:
        return cardinal(digits)
    if rest == 0:
        return f"{_below_hundred(century)} hundred"
    return (
        f"{_below_hundred(century)} {f'oh {_SMALL[rest]}' if rest < 10 else _below_hundred(rest)}"
    )


def plural(words: str) -> str:
    """Make a number plural: decades (``nineteen eighties``), parts (``thirds``).

    >>> plural("twenty")
    'twenties'
    """
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def spelled_digits(digits: str, *, zero: str = "zero") -> str:
    """Say each digit.

    >>> spelled_digits("007", zero="oh")
    'oh oh seven'
    """
    return " ".join(zero if digit == "0" else _SMALL[int(digit)] for digit in digits)


def decimal(text: str) -> str:
    """Say a number with a point: ``3.14``, ``.5``, ``1,024.50``.

    >>> decimal("1,024.50")
    'one thousand twenty-four point five zero'
    """
    whole, point, part = text.replace(",", "").partition(".")
    words = cardinal(whole) if whole else ""
    if point and part:
        words = f"{words} point {spelled_digits(part)}".strip()
    return words


def fraction(numerator: str, denominator: str) -> str:
    """Say a fraction; large ones as "over".

    >>> fraction("3", "4"), fraction("1", "2"), fraction("2", "3"), fraction("22", "731")
    ('three quarters', 'one half', 'two thirds', 'twenty-two over seven hundred thirty-one')
    """
    over, under = int(numerator), int(denominator)
    if under < 2 or under > 100:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    if under == 2:
        part = "half" if over == 1 else "halves"
    elif under == 4:
        part = "quarter" if over == 1 else "quarters"
    else:
        part = ordinal(denominator) if over == 1 else plural(ordinal(denominator))
    return f"{cardinal(numerator)} {part}"
