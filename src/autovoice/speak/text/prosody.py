"""SSML's rates, pitches and breaks as numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from autovoice.errors import InputError

SLOWEST, FASTEST = 0.5, 2.0
MOST_SEMITONES = 12.0
LONGEST_BREAK_S = 10.0
_STRENGTHS_S = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.8, "x-strong": 1.2,
}  # fmt: skip
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.35, "x-fast": 1.75}
_PITCHES = {
    "x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0,
}  # fmt: skip


def break_s(attributes: Mapping[str, str], where: str) -> float:
    """Return the seconds of ``<break>``; without attributes 0.4.

    Raises:
        InputError: neither a time up to 10 s nor a known strength.
    """
    if "time" not in attributes:
        strength = attributes.get("strength", "medium")
        if strength not in _STRENGTHS_S:
            raise InputError(
                f"{where}: found the strength {strength!r}, expected {' or '.join(_STRENGTHS_S)}"
            )
        return _STRENGTHS_S[strength]
    match = re.fullmatch(r"\+?(\d*\.?\d+)(ms|s)", attributes["time"].strip())
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else math.inf
    if seconds > LONGEST_BREAK_S:
        raise InputError(
            f"{where}: found the break {attributes['time']!r}, expected a time such as 500ms or "
            f"1.5s, at most {LONGEST_BREAK_S:g} s"
        )
    return seconds


def combined(
    speed: float, semitones: float, attributes: Mapping[str, str], where: str
) -> tuple[float, float]:
    """Return speed and pitch inside of ``<prosody>``, on top of what holds around it.

    Raises:
        InputError: not understood, or the result is beyond 0.5 to 2 times or 12 semitones.
    """
    if "rate" in attributes:
        speed *= _rate(attributes["rate"].strip(), where)
    if "pitch" in attributes:
        semitones += _semitones(attributes["pitch"].strip(), where)
    if not SLOWEST <= speed <= FASTEST:
        raise InputError(
            f"{where}: found a rate of {speed:g}, expected {SLOWEST:g} to {FASTEST:g} altogether"
        )
    if abs(semitones) > MOST_SEMITONES:
        raise InputError(
            f"{where}: found a pitch shift of {semitones:+.1f} semitones, expected at most "
            f"{MOST_SEMITONES:g} altogether"
        )
    return speed, semitones


def _rate(text: str, where: str) -> float:
    if text in _RATES:
        return _RATES[text]
    match = re.fullmatch(r"([+-]?)(\d*\.?\d+)(%?)", text)
    # "120%" is of the normal rate, "+20%" is on top of it, "1.2" a factor.
    if match and not (match[1] and not match[3]):
        number = float(match[2]) / (100 if match[3] else 1)
        return 1 + float(match[1] + str(number)) if match[1] else number
    raise InputError(
        f"{where}: found the rate {text!r}, expected {' or '.join(_RATES)}, a factor (1.2) or a "
        "percentage (120% or +20%)"
    )


def _semitones(text: str, where: str) -> float:
    if text in _PITCHES:
        return _PITCHES[text]
    match = re.fullmatch(r"([+-]?\d*\.?\d+)(st|%)", text)
    if match and match[2] == "st":
        return float(match[1])
    if match and float(match[1]) > -100:
        number = float(match[1])
        factor = 1 + number / 100 if match[1][0] in "+-" else number / 100
        if factor > 0:
            return 12 * math.log2(factor)
    raise InputError(
        f"{where}: found the pitch {text!r}, expected {' or '.join(_PITCHES)}, semitones (+2st) or "
        "a percentage (+10%)"
    )
