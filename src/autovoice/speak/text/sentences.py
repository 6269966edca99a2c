"""Cut running text into sentences, as it comes, and say how long to pause after each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autovoice.speak.text.wordlist import word_set

LOOKAHEAD_CHARACTERS = 64
LONGEST_CHARACTERS = 1500
PARAGRAPH_PAUSE_S = 0.7
_PAUSES_S = {
    ".": 0.35, "!": 0.4, "?": 0.4, "…": 0.55, ":": 0.3, ";": 0.25, ",": 0.12, "—": 0.2,
    "。": 0.35, "！": 0.4, "？": 0.4, "।": 0.35, "、": 0.12, "，": 0.12, "；": 0.25, "：": 0.3,
}  # fmt: skip
BARE_PAUSE_S = 0.3
_CLOSERS = "\"'”’»)\\]」』）】*_"
_END = re.compile(
    rf"(?P<stop>\n\s*\n\s*|[。！？।]+[{_CLOSERS}]*\s*|(?:\.\s?\.\s?\.[\s.]*|[.!?…]+)[{_CLOSERS}]*(?=\s))"
)
# Never the end of a sentence: a name or a figure follows.
_TITLES = word_set(
    "mr mrs ms mx dr prof rev fr hon gen maj col capt cpt cmdr lt sgt cpl pvt adm gov sen rep pres "
    "supt st mt ft messrs mme mlle vs cf viz approx e.g i.e fig figs vol vols ch sec p pp no nos "
    "nr art ca c dept sr sra srta dra d.ª s sig dott prof.ssa mlle mons exc"
)
# The end when a capital follows that starts a sentence, not when more of the sentence does.
_MAYBE = word_set(
    "etc jr sr inc ltd co corp bros al ed eds ave blvd rd ln hwy dc u.s u.k a.m p.m b.c a.d ph.d "
    "jan feb mar apr jun jul aug sept sep oct nov dec mon tue tues wed thu thurs fri sat sun "
    "est esq dist univ assn min max ext"
)
_STARTERS = word_set(
    "the a an he she it they we you i this that these those there his her their its our my your "
    "but and or so then when where what why how who if in on at for as after before while since "
    "one no not yes mr mrs dr"
)


@dataclass(frozen=True)
class Sentence:
    """One sentence as it was written.

    Args:
        text: without white space around it, line breaks as spaces.
        pause_s: silence after it, seconds.
    """

    text: str
    pause_s: float


def sentences(pieces: Iterable[str]) -> Iterator[Sentence]:
    """Yield sentences while pieces of text come in; the cuts do not depend on how it is cut up.

    At most 1,500 characters and the piece that came last are held.
    """
    waiting = ""
    for piece in pieces:
        waiting += piece
        while True:
            found, waiting = _first(waiting, ended=False)
            if found is None:
                break
            yield from _kept(found)
    while waiting:
        found, waiting = _first(waiting, ended=True)
        if found is None:
            break
        yield from _kept(found)


def _kept(sentence: Sentence) -> Iterator[Sentence]:
    if sentence.text:
        yield sentence


def _first(text: str, *, ended: bool) -> tuple[Sentence | None, str]:
    """Cut off the first sentence; None while more text could move its end."""
    for match in _END.finditer(text, 0, LONGEST_CHARACTERS + LOOKAHEAD_CHARACTERS):
        if not ended and match.end() + LOOKAHEAD_CHARACTERS > len(text):
            break
        if match.end() > LONGEST_CHARACTERS:
            break
        if _is_end(text, match):
            return _sentence(text[: match.end()], match), text[match.end() :]
    if len(text) > LONGEST_CHARACTERS + LOOKAHEAD_CHARACTERS:
        cut = _forced_cut(text)
        return Sentence(_flat(text[:cut]), 0.0), text[cut:]
    if ended:
        return Sentence(_flat(text), _pause_s(text)), ""
    return None, text


def _forced_cut(text: str) -> int:
    window = text[:LONGEST_CHARACTERS]
    for marks in ("\n", ";:", ",", " \t"):
        cut = max(window.rfind(mark) for mark in marks)
        if cut > LONGEST_CHARACTERS // 3:
            return cut + 1
    return LONGEST_CHARACTERS


def _sentence(text: str, match: re.Match[str]) -> Sentence:
    following = match.string[match.end() : match.end() + LOOKAHEAD_CHARACTERS]
    paragraph = "\n" in match["stop"] or re.match(r"[^\S\n]*\n\s*\n", following)
    return Sentence(_flat(text), PARAGRAPH_PAUSE_S if paragraph else _pause_s(text))


def _flat(text: str) -> str:
    # A word broken at the end of a line keeps its hyphen: it may well be written with one.
    return " ".join(re.sub(r"-\n\s*(?=[a-z])", "-", text).split())


def _pause_s(text: str) -> float:
    bare = text.rstrip(" \n\t\"'”’»)]」』）】*_")
    return _PAUSES_S.get(bare[-1:], BARE_PAUSE_S)


def pause_after_clause_s(text: str) -> float:
    """Return the pause where a long sentence was cut, 0 between words."""
    return _PAUSES_S.get(text.rstrip(" \"'”’»)")[-1:], 0.0)


def _is_end(text: str, match: re.Match[str]) -> bool:
    stop = match["stop"]
    if stop.isspace() or stop[0] in "。！？।":
        return True
    following = text[match.end() : match.end() + LOOKAHEAD_CHARACTERS].lstrip()
    opened = following.lstrip("\"'“‘«([—–- *_")
    if not opened:
        return True
    if re.match(r"\S+[.\"'”’)]*\s*$", opened) and "\n" in text[match.end() : match.end() + 2]:
        return True
    if opened[0].islower():
        # "What?" he said. "No ... yes." A stray capital less does not make one sentence of two.
        return False
    if not stop.startswith(".") or stop.count(".") > 1:
        return True
    return _point_ends(text[: match.start()], opened)


def _point_ends(before: str, following: str) -> bool:
    """Tell whether a single point ends a sentence, from the words on both sides."""
    last = re.split(r"[\s(\[\"'“‘«—–/-]", before)[-1]
    lower = last.lower()
    next_word = re.split(r"[\s,.;:!?'’\"]", following, maxsplit=1)[0]
    if re.fullmatch(r"[A-Za-z]", last) and last != "I":
        # An initial, unless what follows looks like a new sentence: "Plan B. The ..."
        return next_word.lower() in _STARTERS and last.isupper()
    if lower in _TITLES:
        numbered = lower in {"no", "art", "p", "c", "s", "ch", "sec"}
        return not following[0].isdecimal() if numbered else False
    if lower in _MAYBE or re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", last):
        return next_word.lower() in _STARTERS and next_word[:1].isupper()
    # "1. Introduction": a figure alone before the point numbers a list.
    return not (last.isdecimal() and len(last) <= 2 and before.strip() == last)
