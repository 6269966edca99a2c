"""The part of SSML that is understood, read safely and as it comes.

A document type is refused, and with it every entity but XML's own five: nothing is expanded or
fetched. Source: Speech Synthesis Markup Language 1.1 (W3C, 2010).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from xml.parsers import expat

from autovoice.errors import InputError
from autovoice.speak.text.alphabet import checked, from_ipa
from autovoice.speak.text.marks import Marks
from autovoice.speak.text.pieces import ascii_digits, cleaned
from autovoice.speak.text.prosody import break_s, combined
from autovoice.speak.text.reader import Reader

log = logging.getLogger(__name__)
DEEPEST = 64
LONGEST_PHONEMES = 300
_ATTRIBUTES = {
    "speak": None, "p": None, "s": None,
    "break": {"time", "strength"},
    "prosody": {"rate", "pitch"},
    "phoneme": {"alphabet", "ph"},
    "say-as": {"interpret-as", "format", "detail"},
    "sub": {"alias"},
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """A run of text under one prosody.

    Args:
        text: may hold private marks.
        speed: factor on the speaking rate.
        semitones: shift of the pitch.
        pause_s: silence after it, seconds; None: what its punctuation asks for.
        joins: more of the same sentence may follow.
    """

    text: str
    speed: float = 1.0
    semitones: float = 0.0
    pause_s: float | None = None
    joins: bool = False


def looks_like_ssml(start: str) -> bool:
    """Tell from its first characters whether text is an SSML document."""
    return start.lstrip("\ufeff \t\r\n").lower().startswith(("<speak", "<?xml", "<!doctype"))


def spans(pieces: Iterable[str], reader: Reader, marks: Marks) -> Iterator[Span]:
    """Yield the spans of an SSML document while its pieces come in.

    Raises:
        InputError: it is malformed or uses what is not understood; the message says where.
    """
    document = _Document(reader, marks)
    for piece in pieces:
        document.feed(piece)
        yield from document.ready()
    document.end()
    yield from document.ready()


class _Document:
    """Collect spans from the events of the XML parser."""

    def __init__(self, reader: Reader, marks: Marks) -> None:
        self._reader, self._marks = reader, marks
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[tuple[str, Mapping[str, str]]] = []
        self._prosody = [Span("")]
        self._text = ""
        self._inner = ""
        self._held: Span | None = None
        self._done: list[Span] = []

    def feed(self, piece: str) -> None:
        self._guarded(lambda: self._parser.Parse(piece, False))

    def end(self) -> None:
        self._guarded(lambda: self._parser.Parse(b"", True))
        self._flush(joins=False)
        if self._held is not None:
            self._done.append(self._held)

    def ready(self) -> Iterator[Span]:
        done, self._done = self._done, []
        return iter(done)

    def _guarded(self, step: Callable[[], object]) -> None:
        try:
            step()
        except expat.ExpatError as error:
            raise InputError(
                f"SSML, line {error.lineno}, column {error.offset + 1}: found "
                f"{expat.ErrorString(error.code)}, expected well-formed XML; a bare & is written "
                "&amp; and a bare < is written &lt;"
            ) from error

    def _where(self) -> str:
        line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
        return f"SSML, line {line}, column {column}"

    def _doctype(self, name: str, *_: object) -> None:
        raise InputError(
            f"{self._where()}: found a document type ({name}), expected none; remove <!DOCTYPE ...>"
        )

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._check(name, attributes)
        self._open.append((name, attributes))
        if name in ("p", "s"):
            self._flush(joins=False)
        elif name == "break":
            self._break(break_s(attributes, self._where()))
        elif name == "prosody":
            self._flush(joins=True)
            last = self._prosody[-1]
            speed, semitones = combined(last.speed, last.semitones, attributes, self._where())
            self._prosody.append(Span("", speed, semitones))
        elif name in ("phoneme", "say-as", "sub"):
            self._inner = ""

    def _check(self, name: str, attributes: Mapping[str, str]) -> None:
        if name not in _ATTRIBUTES:
            raise InputError(
                f"{self._where()}: found <{name}>, expected one of "
                f"{', '.join(f'<{known}>' for known in _ATTRIBUTES)}; see docs/speak-text.md"
            )
        if (name == "speak") == bool(self._open):
            raise InputError(f"{self._where()}: found <{name}>, expected one <speak> around all")
        if len(self._open) >= DEEPEST:
            raise InputError(f"{self._where()}: found elements nested deeper than {DEEPEST}")
        if self._open and self._open[-1][0] in ("phoneme", "say-as", "sub", "break"):
            raise InputError(
                f"{self._where()}: found <{name}> inside of <{self._open[-1][0]}>, expected text"
            )
        allowed = _ATTRIBUTES[name]
        unknown = sorted(set(attributes) - allowed) if allowed is not None else []
        if unknown and allowed is not None:
            raise InputError(
                f"{self._where()}: found the attribute {unknown[0]!r} of <{name}>, expected "
                f"{' or '.join(sorted(allowed))}"
            )

    def _end(self, name: str) -> None:
        _, attributes = self._open.pop()
        if name in ("p", "s"):
            self._flush(joins=False)
            if name == "p":
                self._lengthen()
        elif name == "prosody":
            self._flush(joins=True)
            self._prosody.pop()
        elif name == "phoneme":
            self._phoneme(attributes)
        elif name == "say-as":
            self._say_as(attributes)
        elif name == "sub":
            self._text += f" {attributes.get('alias', self._inner)} "

    def _characters(self, data: str) -> None:
        # A reference such as &#xF0000; may bring what was cleaned out before.
        data = cleaned(data)
        if self._open[-1][0] in ("phoneme", "say-as", "sub"):
            self._inner += data
        else:
            self._text += data

    def _phoneme(self, attributes: Mapping[str, str]) -> None:
        alphabet, given = attributes.get("alphabet", "ipa").lower(), attributes.get("ph", "")
        if alphabet not in ("ipa", "kokoro"):
            raise InputError(
                f"{self._where()}: found the alphabet {alphabet!r}, expected 'ipa' or 'kokoro'"
            )
        if len(given) > LONGEST_PHONEMES:
            raise InputError(
                f"{self._where()}: found {len(given)} phonemes in one word, expected at most "
                f"{LONGEST_PHONEMES}"
            )
        phonemes = from_ipa(given, english=self._reader.english) if alphabet == "ipa" else given
        phonemes = checked(phonemes, f"{self._where()}: <phoneme ph={given!r}>")
        self._text += self._marks.add(self._inner.strip() or given, phonemes)

    def _say_as(self, attributes: Mapping[str, str]) -> None:
        kind = attributes.get("interpret-as", "")
        written = ascii_digits(" ".join(self._inner.split()))
        try:
            words = self._reader.say_as(kind, written, attributes.get("format", ""))
        except InputError as error:
            raise InputError(f"{self._where()}: {error}") from error
        phonemes = self._reader.phonemes(words) or ""
        if phonemes:
            self._text += f" {self._marks.add(written, phonemes)} "

    def _flush(self, *, joins: bool) -> None:
        """Finish the text since the last boundary; it is held, since a pause may follow it."""
        if self._text.strip():
            if self._held is not None:
                self._done.append(self._held)
            self._held = replace(self._prosody[-1], text=self._text, joins=joins)
        self._text = ""

    def _break(self, seconds: float) -> None:
        self._flush(joins=False)
        if self._held is None:
            log.warning("%s: a break before the first word is left out", self._where())
            return
        self._held = replace(self._held, pause_s=(self._held.pause_s or 0.0) + seconds)

    def _lengthen(self) -> None:
        if self._held is not None and self._held.pause_s is None:
            self._held = replace(self._held, text=self._held.text + "\n\n")
