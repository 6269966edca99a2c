"""Text in, utterances out, one after another: the front of the speaking voice."""

from __future__ import annotations

import itertools
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from autovoice.errors import InputError
from autovoice.speak.text.lexicon import validated
from autovoice.speak.text.marks import FIRST_MARK, Marks
from autovoice.speak.text.pieces import ascii_digits, pieces
from autovoice.speak.text.reader import Reader
from autovoice.speak.text.readers import reader_of
from autovoice.speak.text.sentences import (
    Sentence,
    pause_after_clause_s,
    sentences,
)
from autovoice.speak.text.ssml import Span, looks_like_ssml, spans
from autovoice.speak.utterance import Utterance

log = logging.getLogger(__name__)
MAX_PHONEMES = 400
_CUTS = (
    re.compile(r"[;:—–…。！？；：]+[\"'”’)]*\s*"),
    re.compile(r"[,、，]+[\"'”’)]*\s*(?!\d)"),
    re.compile(r"\s(?=(?:and|but|or|so|because|which|that|when|while|who|if|as|for|y|e|et)\s)"),
    re.compile(r"\s"),
)


def utterances(
    text: str | Iterable[str],
    *,
    language: str = "en-us",
    lexicon: Mapping[str, str] | None = None,
    ssml: bool | None = None,
) -> Iterator[Utterance]:
    """Turn text into sentences ready to be spoken, while it comes in.

    Args:
        text: all of it, or pieces of it in order; a book is never held as a whole.
        language: see :func:`autovoice.speak.text.languages`. Default "en-us".
        lexicon: word -> Kokoro's phonemes, before all other sources. Default none.
        ssml: whether it is SSML. Default: it is when it starts with ``<speak`` or ``<?xml``.

    Raises:
        InputError: nothing to say, a NUL, an unknown language, malformed SSML, an unknown phoneme.
            What only reading on can tell is raised when it is reached.
        WeightsError: the language's dictionary is not to be had.
    """
    if isinstance(text, str) and not text.strip():
        raise InputError("text: found nothing, expected words to say")
    own = validated(lexicon, "lexicon") if lexicon else {}
    return _Front(reader_of(language, own), language).run(text, ssml)


class _Front:
    """One run through a text."""

    def __init__(self, reader: Reader, language: str) -> None:
        self._reader, self._language = reader, language
        self._marks = Marks()
        self._unread: set[str] = set()

    def run(self, text: str | Iterable[str], ssml: bool | None) -> Iterator[Utterance]:
        clean = pieces(text)
        start = next((piece for piece in clean if piece.strip()), "")
        clean = itertools.chain([start], clean)
        if looks_like_ssml(start) if ssml is None else ssml:
            runs: Iterable[Span] = spans(clean, self._reader, self._marks)
            found = self._of_spans(runs)
        else:
            found = self._of_sentences(sentences(clean), Span(""))
        spoken = False
        for utterance in found:
            spoken = True
            yield utterance
        if not spoken:
            self._refuse()

    def _refuse(self) -> None:
        scripts = " and ".join(sorted(name.capitalize() for name in self._unread))
        if scripts:
            raise InputError(
                f"text: found only letters that {self._language!r} does not read ({scripts}); pass "
                "the language of the text (--lang), or write it in Latin letters"
            )
        raise InputError("text: found nothing that can be said, expected at least one word")

    def _of_spans(self, runs: Iterable[Span]) -> Iterator[Utterance]:
        for span in runs:
            yield from self._of_span(span)

    def _of_span(self, span: Span) -> Iterator[Utterance]:
        """Say a span; its last utterance takes the pause that markup gave."""
        held: Utterance | None = None
        for utterance in self._of_sentences(sentences([span.text]), span):
            if held is not None:
                yield held
            held = utterance
        if held is None:
            return
        pause_s = held.pause_s
        if span.pause_s is not None:
            pause_s = span.pause_s
        elif span.joins and not re.search(r"[.!?…][\"'”’)]*\s*$", span.text):
            pause_s = pause_after_clause_s(span.text)
        yield Utterance(held.text, held.phonemes, pause_s, held.speed, held.semitones)

    def _of_sentences(self, found: Iterable[Sentence], span: Span) -> Iterator[Utterance]:
        for sentence in found:
            parts = list(self._parts(sentence.text))
            for place, (written, phonemes) in enumerate(parts):
                last = place == len(parts) - 1
                pause_s = sentence.pause_s if last else pause_after_clause_s(written)
                shown = " ".join(self._marks.shown(written).split())
                yield Utterance(shown, phonemes, pause_s, span.speed, span.semitones)

    def _parts(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield text and phonemes; a sentence that is too long is cut at its clauses."""
        phonemes = self._phonemes(text)
        if len(phonemes) <= MAX_PHONEMES:
            if any(symbol.isalpha() for symbol in phonemes):
                yield text, phonemes
            return
        cut = clause_cut(text)
        yield from self._parts(text[:cut].strip())
        yield from self._parts(text[cut:].strip())

    def _phonemes(self, text: str) -> str:
        words = self._readable(self._reader.words(ascii_digits(text)))
        return self._reader.phonemes(words, self._marks.phonemes) or ""

    def _readable(self, words: str) -> str:
        """Leave out the letters of scripts that the language does not read, and say so once."""
        if words.isascii():
            return words
        kept = []
        for symbol in words:
            script = _script(symbol)
            if not script or script in self._reader.scripts:
                kept.append(symbol)
                continue
            if script not in self._unread:
                self._unread.add(script)
                log.warning(
                    "text: %s letters are left out, %s does not read them (first found: %r)",
                    script.capitalize(), self._language, symbol,
                )  # fmt: skip
            kept.append(" ")
        return "".join(kept)


def _script(symbol: str) -> str:
    """Return the first word of a letter's name, empty for what is no letter."""
    if symbol.isascii() or ord(symbol) >= FIRST_MARK or unicodedata.category(symbol)[0] != "L":
        return ""
    return unicodedata.name(symbol, "UNKNOWN").split(" ")[0].split("-")[0]


def clause_cut(text: str) -> int:
    """Return where to cut a long sentence: at the clause end that is nearest to its middle."""
    middle = len(text) // 2
    for pattern in _CUTS:
        ends = [match.end() for match in pattern.finditer(text)]
        ends = [end for end in ends if len(text) // 5 <= end <= len(text) * 4 // 5]
        if ends:
            return min(ends, key=lambda end: abs(end - middle))
    return max(middle, 1)
