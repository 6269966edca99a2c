"""How rules of normalisation are written: a pattern, and what its match is said as."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
NO_DIGIT_BEFORE = r"(?<![\w.,])"
# Private characters are taken out of every input, so these marks can only be our own.
LETTER = "\ue000"
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def rule(pattern: str, said: Callable[[re.Match[str]], str], *, any_case: bool = False) -> Rule:
    """Compile one rule."""
    return re.compile(pattern, re.IGNORECASE if any_case else 0), said


def apply(rules: Sequence[Rule], text: str) -> str:
    """Apply rules in their order, each to what the former left."""
    for pattern, said in rules:
        text = pattern.sub(said, text)
    return text


def spelled_letters(letters: str) -> str:
    """Mark letters to be said by their names, in one breath: ``USA`` -> "U S A"."""
    return "".join(letter.upper() + LETTER for letter in letters if letter.isascii())


def apart(words: str) -> str:
    """Set words off from what stands beside them."""
    return f" {words} "
