"""Hindi: Devanagari to Kokoro's phonemes by rules of our own.

A consonant carries the vowel ə unless a sign says otherwise; at the end of a word and between
two syllables it falls silent (Ohala, "Aspects of Hindi Phonology", 1983).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import vocabulary

_CONSONANTS = {
    "क": "k", "ख": "kʰ", "ग": "ɡ", "घ": "ɡʰ", "ङ": "ŋ", "च": "ʧ", "छ": "ʧʰ", "ज": "ʤ", "झ": "ʤʰ",
    "ञ": "ɲ", "ट": "ʈ", "ठ": "ʈʰ", "ड": "ɖ", "ढ": "ɖʰ", "ण": "ɳ", "त": "t", "थ": "tʰ", "द": "d",
    "ध": "dʰ", "न": "n", "प": "p", "फ": "pʰ", "ब": "b", "भ": "bʰ", "म": "m", "य": "j", "र": "ɾ",
    "ल": "l", "व": "ʋ", "श": "ʃ", "ष": "ʃ", "स": "s", "ह": "h", "ळ": "l",
}  # fmt: skip
_DOTTED = {"क": "q", "ख": "x", "ग": "ɣ", "ज": "z", "ड": "ɽ", "ढ": "ɽʰ", "फ": "f"}
_VOWELS = {
    "अ": "ə", "आ": "aː", "इ": "ɪ", "ई": "iː", "उ": "ʊ", "ऊ": "uː", "ऋ": "ɾɪ", "ए": "eː", "ऐ": "ɛː",
    "ओ": "oː", "औ": "ɔː", "ऑ": "ɔ", "ऍ": "ɛ",
}  # fmt: skip
_SIGNS = {
    "ा": "aː", "ि": "ɪ", "ी": "iː", "ु": "ʊ", "ू": "uː", "ृ": "ɾɪ", "े": "eː", "ै": "ɛː", "ो": "oː",
    "ौ": "ɔː", "ॉ": "ɔ", "ॅ": "ɛ",
}  # fmt: skip
_SILENT, _DOT, _NASAL, _NASAL_MOON, _BREATH = "्", "़", "ं", "ँ", "ः"
_PLACES = (("kɡ", "ŋ"), ("ʧʤ", "ɲ"), ("ʈɖ", "ɳ"), ("td", "n"), ("pb", "m"))
_BELOW_HUNDRED = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस "
    "पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस "
    "सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ "
    "इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर "
    "पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी "
    "सत्तासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे "
    "निन्यानवे"
)


class HindiReader:
    """Read Hindi in Devanagari.

    Args:
        lexicon: the user's own pronunciations.
    """

    scripts = frozenset({"DEVANAGARI"})
    english = False

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self._lexicon = dict(lexicon)

    def words(self, text: str) -> str:
        """Return text with its figures and signs in words."""
        text = "".join(
            str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else c for c in text
        )
        text = re.sub(r"₹\s?(\d[\d,]*)", r"\1 रुपये", text)
        text = re.sub(r"(?<=\d),(?=\d)", "", text).replace("%", " प्रतिशत ")
        text = re.sub(r"(\d+)\.(\d+)", lambda m: f"{m[1]} दशमलव {' '.join(m[2])}", text)
        text = re.sub(r"\d+", lambda m: f" {number_words(m[0])} ", text)
        return " ".join(text.split())

    def phonemes(self, text: str, marked: Mapping[str, str] | None = None) -> str | None:
        """Return the phonemes of words and punctuation."""
        said = ""
        for piece in re.findall(r"[\u0900-\u0963\u0970-\u097f]+|[^\s]", text.replace("।", ".")):
            if marked and piece in marked:
                said += f" {marked[piece]}"
            elif re.match("[\u0900-\u097f]", piece):
                said += f" {self._lexicon.get(piece) or word_sound(piece)}"
            elif piece in ";:,.!?—…":
                said += piece
        return "".join(symbol for symbol in said.strip() if symbol in vocabulary())

    def say_as(self, kind: str, text: str, layout: str) -> str:
        """Return numbers and digits in words.

        Raises:
            InputError: another kind.
        """
        del layout
        if kind in ("cardinal", "number"):
            return self.words(text)
        if kind in ("digits", "telephone"):
            return " ".join(number_words(digit) for digit in re.findall(r"\d", text))
        raise InputError(
            f"<say-as>: found interpret-as={kind!r}, expected cardinal or digits in 'hi'"
        )


def number_words(digits: str) -> str:
    """Say a whole number in Hindi; from a hundred crore of crores on digit by digit.

    >>> number_words("21"), number_words("1984"), number_words("250000")
    ('इक्कीस', 'एक हज़ार नौ सौ चौरासी', 'दो लाख पचास हज़ार')
    """
    names = _BELOW_HUNDRED.split()
    if len(digits) > 11 or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(names[int(digit)] for digit in digits)
    number = int(digits)
    if number < 100:
        return names[number]
    words = []
    for size, name in ((10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ")):
        count, number = divmod(number, size)
        if count:
            words.append(f"{number_words(str(count))} {name}")
    return " ".join([*words, names[number]] if number else words)


def word_sound(word: str) -> str:
    """Return the phonemes of one word in Devanagari."""
    units = _units(unicodedata.normalize("NFD", word))
    return _stressed(_joined(_without_silent(units)))


def _units(word: str) -> list[list[str]]:
    """Split a word into ``[consonant, vowel, nasal]``; each part may be empty, "A" is inherent."""
    units: list[list[str]] = []
    for symbol in word:
        if symbol in _CONSONANTS:
            units.append([_CONSONANTS[symbol], "A", ""])
        elif symbol == _DOT and units:
            plain = next((k for k, v in _CONSONANTS.items() if v == units[-1][0]), "")
            units[-1][0] = _DOTTED.get(plain, units[-1][0])
        elif symbol in _VOWELS:
            units.append(["", _VOWELS[symbol], ""])
        elif units and symbol in _SIGNS:
            units[-1][1] = _SIGNS[symbol]
        elif units and symbol == _SILENT:
            units[-1][1] = ""
        elif units and symbol in (_NASAL, _NASAL_MOON):
            units[-1][2] = symbol
        elif units and symbol == _BREATH:
            units.append(["h", "", ""])
    return units


def _without_silent(units: list[list[str]]) -> list[list[str]]:
    """Drop the vowel ə where it is not said: at the end, and between two syllables."""
    if len(units) > 1 and units[-1][1] == "A" and not units[-1][2]:
        units[-1][1] = ""
    for place in range(len(units) - 2, 0, -1):
        here, before, after = units[place], units[place - 1], units[place + 1]
        open_before = before[1] and not before[2]
        if here[1] == "A" and not here[2] and open_before and after[1] and after[0] and here[0]:
            here[1] = ""
    return units


def _joined(units: list[list[str]]) -> str:
    said = ""
    for place, (consonant, vowel, nasal) in enumerate(units):
        said += consonant + vowel.replace("A", "ə")
        following = units[place + 1][0] if place + 1 < len(units) else ""
        if nasal:
            said += _nasal(nasal, following)
    return said


def _nasal(sign: str, following: str) -> str:
    if sign == _NASAL and following:
        for stops, sound in _PLACES:
            if following[0] in stops:
                return sound
        if following[0] in "sʃhjlʋɾ":
            return "n"
    return "\u0303"


def _stressed(said: str) -> str:
    """Stress the first long vowel, else the first one."""
    match = re.search(r"[aeiouɛɔ]ː", said) or re.search(r"[əɪʊɛɔ]", said)
    return said[: match.start()] + "ˈ" + said[match.start() :] if match else said
