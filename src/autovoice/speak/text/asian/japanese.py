"""Japanese: kanji to kana by OpenJTalk's dictionary, kana to the phonemes that Kokoro learned.

Without the ``japanese`` extra kana are read, kanji are not. Sources: pyopenjtalk-plus (MIT) for
readings; the sounds of kana in the notation of misaki's Japanese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from types import ModuleType

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import vocabulary
from autovoice.speak.text.asian.mandarin import needed

_NEEDS_READING = re.compile(r"[\u3400-\u9fff々A-Za-z0-9０-９Ａ-Ｚａ-ｚ]")
_VOWELS = {"ア": "a", "イ": "i", "ウ": "ɯ", "エ": "e", "オ": "o"}
# Consonants before a, i, u, e, o, and before the small ya, yu, yo.
_ROWS = {
    "カキクケコ": ("k", "kʲ", "kʲ"), "ガギグゲゴ": ("ɡ", "ɡʲ", "ɡʲ"), "サシスセソ": ("s", "ɕ", "ɕ"),
    "ザジズゼゾ": ("ʣ", "ʥ", "ʥ"), "タチツテト": ("t", "ʨ", "ʨ"), "ダヂヅデド": ("d", "ʥ", "ʥ"),
    "ナニヌネノ": ("n", "ɲ", "ɲ"), "ハヒフヘホ": ("h", "ç", "ç"), "バビブベボ": ("b", "bʲ", "bʲ"),
    "パピプペポ": ("p", "pʲ", "pʲ"), "マミムメモ": ("m", "mʲ", "mʲ"),
    "ラリルレロ": ("ɾ", "ɾʲ", "ɾʲ"),
}  # fmt: skip
_SPECIAL = {
    "ス": "sɨ", "ズ": "zɨ", "ツ": "ʦɨ", "ヅ": "zɨ", "フ": "ɸɯ", "ヤ": "ja", "ユ": "jɯ", "ヨ": "jo",
    "ワ": "βa", "ヰ": "i", "ヱ": "e", "ヲ": "o",
    "ヴ": "vɯ", "ファ": "ɸa", "フィ": "ɸʲi", "フェ": "ɸe",
    "フォ": "ɸo", "ティ": "tʲi", "ディ": "dʲi", "トゥ": "tɯ",
    "ドゥ": "dɯ", "ウィ": "βi", "ウェ": "βe",
    "ウォ": "βo", "シェ": "ɕe", "ジェ": "ʥe", "チェ": "ʨe",
    "ツァ": "ʦa", "ツェ": "ʦe", "ツォ": "ʦo",
    "ヴァ": "va", "ヴィ": "vʲi", "ヴェ": "ve", "ヴォ": "vo", "イェ": "je", "クァ": "kᵝa",
}  # fmt: skip
_SMALL = {"ャ": "a", "ュ": "ɨ", "ョ": "o"}
_SMALL_VOWELS = {"ァ": "a", "ィ": "i", "ゥ": "ɯ", "ェ": "e", "ォ": "o"}
_SIGNS = {
    "。": ".", "、": ",", "，": ",", "！": "!", "？": "?",
    "：": ":", "；": ";", "…": "…", "「": "“",
    "」": "”", "『": "“", "』": "”", "・": " ", "（": "(", "）": ")", ".": ".", ",": ",", "!": "!",
    "?": "?", "—": "—", "～": "—", "〜": "—",
}  # fmt: skip


def _kana() -> dict[str, str]:
    table = dict(_VOWELS)
    for row, (plain, before_i, before_y) in _ROWS.items():
        for kana, vowel in zip(row, "aiɯeo", strict=True):
            table[kana] = (before_i if vowel == "i" else plain) + vowel
        for small, vowel in _SMALL.items():
            table[row[1] + small] = before_y + vowel
    return table | _SPECIAL


class JapaneseReader:
    """Read Japanese.

    Args:
        lexicon: the user's own pronunciations of words as the dictionary cuts them.
    """

    scripts = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN", "FULLWIDTH"})
    english = False

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self._lexicon = dict(lexicon)
        # Kana can be read without it, but particles are then said as they are written.
        self._talk: ModuleType | None = (
            needed("pyopenjtalk", "japanese") if find_spec("pyopenjtalk") else None
        )

    def words(self, text: str) -> str:
        """Return text as it is: the dictionary reads figures and signs itself."""
        return text

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return the phonemes of a sentence.

        Raises:
            InputError: there are kanji or figures, and the extra is not installed.
        """
        said = "".join(self._pieces(text, marked or {}))
        said = re.sub(r"\s+([;:,.!?…”)])", r"\1", re.sub(r"\s+", " ", said)).strip()
        return "".join(symbol for symbol in said if symbol in vocabulary())

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return text as it is, for the kinds that the dictionary reads anyway.

        Raises:
            InputError: another kind.
        """
        del layout
        if kind in ("cardinal", "number", "date", "time"):
            return text
        if kind in ("characters", "digits", "spell-out"):
            return "、".join(text)
        raise InputError(
            f"<say-as>: found interpret-as={kind!r}, expected cardinal, date, time, digits or "
            "characters in 'ja'"
        )

    def _pieces(self, text: str, marked: Mapping[str, str]) -> Iterator[str]:
        marks = "".join(map(re.escape, marked)) or "\uffff"
        for piece in re.findall(f"[{marks}]|[^{marks}]+", text):
            if piece in marked:
                yield f" {marked[piece]} "
            elif self._talk is None and not _NEEDS_READING.search(piece):
                yield sound_of_kana(piece)
            else:
                yield from self._read(piece)

    def _read(self, text: str) -> Iterator[str]:
        if self._talk is None:
            self._talk = needed("pyopenjtalk", "japanese")
        for word in self._talk.run_frontend(text):
            written, heard = str(word["string"]), str(word["pron"])
            start = "" if word["chain_flag"] == 1 else " "
            own = self._lexicon.get(written)
            heard = written if written in _SIGNS or heard in ("、", "？") else heard
            yield start + (own or sound_of_kana(heard.replace("’", "")))


_KANA = _kana()


def sound_of_kana(text: str) -> str:
    """Return the phonemes of hiragana or katakana with punctuation; other signs are left out.

    >>> sound_of_kana("きょう、さっか"), sound_of_kana("コーヒー"), sound_of_kana("さんぽ")
    ('kʲoɯ, saʔka', 'koːçiː', 'sampo')
    """
    text = unicodedata.normalize("NFKC", text.replace("…", "\ue00f")).replace("\ue00f", "…")
    kana = "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)
    said, place = "", 0
    while place < len(kana):
        pair, single = kana[place : place + 2], kana[place]
        if pair in _KANA and len(pair) == 2:
            said, place = said + _KANA[pair], place + 2
            continue
        if single == "ン":
            following = _KANA.get(kana[place + 1 : place + 3]) or _KANA.get(
                kana[place + 1 : place + 2], ""
            )
            said += _nasal(following[:1])
        elif single == "ッ":
            said += "ʔ"
        elif single == "ー":
            said += "ː"
        elif single in _SIGNS:
            said += _SIGNS[single] + (" " if _SIGNS[single] in ".,!?;:…" else "")
        else:
            said += _KANA.get(single) or _SMALL_VOWELS.get(single) or (" " if single == " " else "")
        place += 1
    return said.strip() if not said.startswith(" ") else " " + said.strip()


def _nasal(following: str) -> str:
    """Return the sound of ン, which takes the place of what follows."""
    if following and following in "mpb":
        return "m"
    if following and following in "kɡ":
        return "ŋ"
    if following and following in "ɲʨʥ":
        return "ɲ"
    return "n" if following and following in "ntdɾzʣʦ" else "ɴ"
