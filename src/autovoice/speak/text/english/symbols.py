"""Emoji and other signs as English words, by the names that Unicode gives them."""

from __future__ import annotations

import re
import unicodedata

from autovoice.speak.text.english.rules import Rule, apart, rule, spelled_letters
from autovoice.speak.text.english.tables import table

_EMOJI = (
    "\U0001f300-\U0001f5ff\U0001f600-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001f9ff"
    "\U0001fa70-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23fa\U0001f004\U0001f0cf"
)
_MODIFIERS = "\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\u200d\u2640\u2642"
_NAMES = {
    "\u2764": "red heart", "\U0001f600": "grinning face", "\U0001f44d": "thumbs up",
    "\U0001f44e": "thumbs down", "\U0001f64f": "folded hands", "\U0001f602": "tears of joy",
    "\u2714": "check mark", "\u2705": "check mark", "\u2728": "sparkles",
    "\U0001f389": "party popper", "\U0001f60a": "smiling face", "\u2639": "frowning face",
}  # fmt: skip


def _name(symbol: str) -> str:
    if symbol in _NAMES:
        return _NAMES[symbol]
    name = unicodedata.name(symbol, "").lower()
    words = re.sub(r"[^a-z ]", " ", name)
    return re.sub(r"\b(?:heavy|black|white) (?=heart|star|check|sun)|\bsign$", "", words).strip()


def _emoji(match: re.Match[str]) -> str:
    said: list[str] = []
    for symbol in match[0]:
        name = "" if symbol.isspace() else _name(symbol)
        # A row of the same face is one feeling, not five.
        if name and (not said or said[-1] != name):
            said.append(name)
    return f", {', '.join(said)}, " if said else " "


def _flag(match: re.Match[str]) -> str:
    letters = (chr(ord(symbol) - 0x1F1E6 + ord("A")) for symbol in match[0])
    return apart(f"flag of {spelled_letters(''.join(letters))}")


def _greek(match: re.Match[str]) -> str:
    return apart(unicodedata.name(match[0]).split(" WITH ")[0].rsplit(" ", 1)[-1].lower())


def _sign(match: re.Match[str]) -> str:
    return apart(str(table("symbols")[match[0]]))


_SIGNS = "[" + re.escape("".join(table("symbols"))) + "]"
EMOJI: tuple[Rule, ...] = (
    rule(f"[{_MODIFIERS}]", lambda _: ""),
    rule("[\U0001f1e6-\U0001f1ff]{2}", _flag),
    rule(f"(?:[{_EMOJI}]\\s*)+", _emoji),
    # Emoticons: a colon and a bracket would only be odd pauses.
    rule(r"(?<!\S)[:;=8][-']?[()DPp|/\\](?!\S)", lambda _: ","),
)
SIGNS: tuple[Rule, ...] = (
    rule(r"(?<=\w)\s?~\s?(?=\w)|(?<!\S)~(?=\d)", lambda _: " about "),
    rule(r"\b([Aa])nd/or\b", lambda m: f"{m[1]}nd or"),
    rule(r"(?<=\w)/(?=\w)", lambda _: " slash "),
    rule("[\u0370-\u03ff](?![\u0370-\u03ff])(?<![\u0370-\u03ff]{2})", _greek),
    rule(r"(?<=\d)\s?°", lambda _: " degrees "),
    rule(_SIGNS, _sign),
)
