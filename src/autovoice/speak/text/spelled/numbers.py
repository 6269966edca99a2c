"""Whole numbers in the words of four Romance languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

LARGEST = 10**12 - 1
_ES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
)
_ES_TENS = "diez veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"
_ES_HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
)
_IT = (
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici "
    "quindici sedici diciassette diciotto diciannove"
)
_IT_TENS = "dieci venti trenta quaranta cinquanta sessanta settanta ottanta novanta"
_FR = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
    "dix-sept dix-huit dix-neuf"
)
_FR_TENS = "dix vingt trente quarante cinquante soixante"
_PT = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze "
    "dezesseis dezessete dezoito dezenove"
)
_PT_TENS = "dez vinte trinta quarenta cinquenta sessenta setenta oitenta noventa"
_PT_HUNDREDS = (
    "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos"
)


def number_words(digits: str, language: str) -> str:
    """Say a whole number; beyond 999,999,999,999 or after a leading zero digit by digit.

    >>> number_words("1991", "fr"), number_words("21", "it"), number_words("100", "es")
    ('mille neuf cent quatre-vingt-onze', 'ventuno', 'cien')
    """
    below, thousands, millions, billions = _LANGUAGES[language]
    number = int(digits)
    if number > LARGEST or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(below(int(digit)) for digit in digits)
    if number < 1000:
        return below(number)
    words = []
    for size, name in ((10**9, billions), (10**6, millions), (10**3, thousands)):
        count, number = divmod(number, size)
        if count:
            words.append(name(count))
    if number:
        last = language == "pt-br" and (number < 100 or number % 100 == 0)
        words.append(f"e {below(number)}" if last else below(number))
    return " ".join(words)


def _split(words: str) -> Sequence[str]:
    return words.split()


def _spanish(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cien"
    words = [_split(_ES_HUNDREDS)[hundreds - 1]] if hundreds else []
    if rest < 30 and (rest or not hundreds):
        words.append(_split(_ES)[rest])
    elif rest:
        tens, ones = divmod(rest, 10)
        name = _split(_ES_TENS)[tens - 1]
        words.append(f"{name} y {_split(_ES)[ones]}" if ones else name)
    return " ".join(words)


def _shortened(number: int) -> str:
    words = _spanish(number)
    return (
        words.removesuffix("uno") + ("ún" if words.endswith("veintiuno") else "un")
        if (words.endswith("uno"))
        else words
    )


def _italian(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    word = ("" if hundreds == 1 else _split(_IT)[hundreds]) + "cento" if hundreds else ""
    if rest < 20 and (rest or not hundreds):
        return word + _split(_IT)[rest]
    tens, ones = divmod(rest, 10)
    if not rest:
        return word
    name = _split(_IT_TENS)[tens - 1]
    if ones in (1, 8):
        name = name[:-1]
    return word + name + (("tré" if ones == 3 else _split(_IT)[ones]) if ones else "")


def _french(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = []
    if hundreds:
        words = [f"{_split(_FR)[hundreds]} cent" if hundreds > 1 else "cent"]
    if rest or not hundreds:
        words.append(_french_below_hundred(rest))
    return " ".join(words)


def _french_below_hundred(number: int) -> str:
    if number < 20:
        return _split(_FR)[number]
    tens, ones = divmod(number, 10)
    if tens >= 8:
        ones = number - 80
        return f"quatre-vingt-{_split(_FR)[ones]}" if ones else "quatre-vingts"
    if tens == 7:
        tens, ones = 6, number - 60
    name = _split(_FR_TENS)[tens - 1]
    if ones in (1, 11):
        return f"{name} et {_split(_FR)[ones]}"
    return f"{name}-{_split(_FR)[ones]}" if ones else name


def _portuguese(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cem"
    words = [_split(_PT_HUNDREDS)[hundreds - 1]] if hundreds else []
    if rest < 20 and (rest or not hundreds):
        words.append(_split(_PT)[rest])
    elif rest:
        tens, ones = divmod(rest, 10)
        words.append(_split(_PT_TENS)[tens - 1])
        words += [_split(_PT)[ones]] if ones else []
    return " e ".join(words)


Counted = Callable[[int], str]


def _counted(below: Counted, one: str, single: str, many: str) -> Counted:
    return lambda count: f"{one}{single}" if count == 1 else f"{below(count)}{many}"


_LANGUAGES: dict[str, tuple[Counted, Counted, Counted, Counted]] = {
    "es": (
        _spanish, _counted(_shortened, "", "mil", " mil"),
        _counted(_shortened, "un", " millón", " millones"),
        _counted(_shortened, "", "mil millones", " mil millones"),
    ),
    "it": (
        _italian, _counted(_italian, "", "mille", "mila"),
        _counted(_italian, "un", " milione", " milioni"),
        _counted(_italian, "un", " miliardo", " miliardi"),
    ),
    "fr": (
        _french, _counted(_french, "", "mille", " mille"),
        _counted(_french, "un", " million", " millions"),
        _counted(_french, "un", " milliard", " milliards"),
    ),
    "pt-br": (
        _portuguese, _counted(_portuguese, "", "mil", " mil"),
        _counted(_portuguese, "um", " milhão", " milhões"),
        _counted(_portuguese, "um", " bilhão", " bilhões"),
    ),
}  # fmt: skip
