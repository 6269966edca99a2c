"""Mandarin: characters to pinyin by pypinyin, pinyin to the phonemes that Kokoro learned.

Sources: pypinyin (MIT) for readings, rjieba (MIT) for word borders; initials and finals after
Duanmu, "The Phonology of Standard Chinese", 2007, in the notation of misaki's transcription.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import vocabulary

_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ",
    "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ",
    "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
# "0" is where the tone stands: after the vowel, before what closes the syllable.
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0",
    "en": "ə0n", "eng": "ə0ŋ", "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ",
    "iao": "jau0", "ie": "je0", "in": "i0n", "ing": "i0ŋ", "iong": "jʊ0ŋ", "iou": "jou0",
    "o": "wo0", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "ua": "wa0", "uai": "wai0", "uan": "wa0n",
    "uang": "wa0ŋ", "uei": "wei0", "uen": "wə0n", "ueng": "wə0ŋ", "uo": "wo0", "ü": "y0",
    "üe": "ɥe0", "üan": "ɥɛ0n", "ün": "y0n", "ê": "ɛ0",
}  # fmt: skip
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_ZERO_INITIAL = {
    "yi": "i", "yin": "in", "ying": "ing", "yu": "ü", "yue": "üe", "yuan": "üan", "yun": "ün",
    "you": "iou", "yo": "iou", "wu": "u",
}  # fmt: skip
_SHORT = {"iu": "iou", "ui": "uei", "un": "uen"}
_DIGITS = "零一二三四五六七八九"
_SIGNS = {
    "。": ". ", "，": ", ", "、": ", ", "！": "! ", "？": "? ", "；": "; ", "：": ": ", "…": "… ",
    "—": "—", "（": " (", "）": ") ", "《": " “", "》": "” ", "「": " “", "」": "” ", "“": " “",
    "”": "” ", ".": ". ", ",": ", ", "!": "! ", "?": "? ", ";": "; ", ":": ": ",
}  # fmt: skip
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"


class MandarinReader:
    """Read Mandarin.

    Args:
        lexicon: the user's own pronunciations, of one or more characters.

    Raises:
        InputError: pypinyin or rjieba is not installed.
    """

    scripts = frozenset({"CJK"})
    english = False

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self._pinyin = needed("pypinyin", "chinese")
        self._segment = needed("rjieba", "chinese")
        self._lexicon = dict(lexicon)

    def words(self, text: str) -> str:
        """Return text with its figures in characters."""
        text = re.sub(r"(\d+(?:\.\d+)?)%", lambda m: f"百分之{m[1]}", text)
        text = re.sub(r"(\d{4})(?=年)", lambda m: "".join(_DIGITS[int(d)] for d in m[1]), text)
        text = re.sub(r"(\d{1,2}):(\d{2})", lambda m: f"{m[1]}点{m[2]}分", text)
        text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
        text = re.sub(r"[¥￥]\s?(\d+(?:\.\d+)?)", r"\1元", text)
        return re.sub(r"(\d+)(?:\.(\d+))?", _number, text)

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return the phonemes of characters and punctuation."""
        said = "".join(self._pieces(text, marked or {}))
        said = re.sub(r"\s+([;:,.!?…”)])", r"\1", re.sub(r"\s+", " ", said)).strip()
        return "".join(symbol for symbol in said if symbol in vocabulary())

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return numbers and digits as characters.

        Raises:
            InputError: another kind.
        """
        del layout
        if kind in ("cardinal", "number"):
            return self.words(text)
        if kind in ("digits", "characters", "spell-out", "telephone"):
            return "".join(_DIGITS[int(c)] if c in "0123456789" else c for c in text)
        raise InputError(
            f"<say-as>: found interpret-as={kind!r}, expected cardinal, digits or characters in "
            "'zh'"
        )

    def _pieces(self, text: str, marked: Mapping[str, str]) -> Iterator[str]:
        for piece in re.findall(rf"[{_HAN}]+|.", text, re.DOTALL):
            if piece in marked:
                yield f" {marked[piece]} "
            elif re.match(f"[{_HAN}]", piece):
                for word in self._segment.cut(piece):
                    yield f"{self._lexicon.get(word) or self._word(word)} "
            else:
                yield _SIGNS.get(piece, " ")

    def _word(self, word: str) -> str:
        style = self._pinyin.Style.TONE3
        read = self._pinyin.lazy_pinyin(
            word, style=style, neutral_tone_with_five=True, v_to_u=True, errors="ignore"
        )
        return "".join(syllable_sound(syllable) for syllable in read)


def syllable_sound(pinyin: str) -> str:
    """Return the phonemes of one syllable in numbered pinyin; empty when it is none.

    >>> syllable_sound("hao3"), syllable_sound("shi4"), syllable_sound("yuan2")
    ('xau↓', 'ʂɨ↘', 'ɥɛ↗n')
    """
    match = re.fullmatch(r"([a-zü]+?)(r?)([1-5])", pinyin)
    if not match:
        return ""
    body, tone = match[1] + match[2], _TONES[match[3]]
    initial = next((i for i in _INITIALS if body.startswith(i) and body != i), "")
    final = body[len(initial) :]
    if not initial:
        final = _ZERO_INITIAL.get(body) or _unwritten(body)
    elif initial in ("j", "q", "x"):
        final = re.sub("^u", "ü", final)
    final = _SHORT.get(final, final)
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        sound = "ɨ0"
    else:
        sound = _FINALS.get(final, "")
    return (_INITIALS.get(initial, "") + sound.replace("0", tone)) if sound else ""


def _unwritten(body: str) -> str:
    """Turn y and w at the start of a syllable into the vowels that they stand for."""
    if body.startswith("y"):
        return "i" + body[1:]
    return "u" + body[1:] if body.startswith("w") else body


def _number(match: re.Match[str]) -> str:
    words = cardinal(match[1])
    return f"{words}点{''.join(_DIGITS[int(d)] for d in match[2])}" if match[2] else words


def cardinal(digits: str) -> str:
    """Say a whole number in Chinese; beyond 16 digits, or after a leading zero, digit by digit.

    >>> cardinal("10"), cardinal("105"), cardinal("12345")
    ('十', '一百零五', '一万二千三百四十五')
    """
    if len(digits) > 16 or (len(digits) > 1 and digits[0] == "0"):
        return "".join(_DIGITS[int(digit)] for digit in digits)
    number = int(digits)
    if number == 0:
        return _DIGITS[0]
    said, power = "", 0
    while number:
        number, group = divmod(number, 10_000)
        if group:
            gap = "零" if number and group < 1000 else ""
            said = gap + _below_ten_thousand(group) + ("", "万", "亿", "万亿")[power] + said
        power += 1
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_ten_thousand(number: int) -> str:
    said = ""
    for size, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, size)
        if digit:
            said += _DIGITS[digit] + name
        elif said and number and not said.endswith("零"):
            said += "零"
    return said


def needed(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Raises:
        InputError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"language: this one needs the package {module.partition('.')[0]!r}, which is not "
            f"installed; install it with: pip install 'autovoice[{extra}]'"
        ) from error
