"""What is read from a score: one sung line, notes with their syllables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["single", "begin", "middle", "end"]


@dataclass(frozen=True)
class Syllable:
    """A syllable as written under a note.

    Args:
        text: without hyphens around it.
        place: where in its word it stands.
    """

    text: str
    place: Place = "single"

    @property
    def begins(self) -> bool:
        """Whether a word begins with it."""
        return self.place in ("single", "begin")

    @property
    def ends(self) -> bool:
        """Whether a word ends with it."""
        return self.place in ("single", "end")


@dataclass(frozen=True)
class Note:
    """A note of one line; lines never overlap themselves.

    Args:
        start_s, end_s: in the output, seconds; the end is after the start.
        key: MIDI number, 69 for A4; fractions are microtones.
        syllables: what is sung from its start on. Two or more share the note (an elision); none
            goes on with the vowel before.
    """

    start_s: float
    end_s: float
    key: float
    syllables: tuple[Syllable, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Score:
    """The line that is sung.

    Args:
        notes: in the order of time.
        seconds: from the first beat to the end of the last bar (MIDI: of the last event).
        title: of the piece, may be empty.
        part: name of the part that is sung.
        remarks: what was read otherwise than written, in words.
    """

    notes: tuple[Note, ...]
    seconds: float
    title: str = ""
    part: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def has_words(self) -> bool:
        """Whether anything is written under the notes."""
        return any(note.syllables for note in self.notes)


@dataclass(frozen=True)
class Choice:
    """Which line of a score is sung, and how fast.

    Args:
        part: name, identifier or number (from 1) of a part. Default: the first with words.
        voice_part: of a part with several lines (soprano and alto on one staff) the number of one.
            Default: the one with most words.
        verse: number of the verse. Default: the first, and the n-th where a repeat is sung for the
            n-th time.
        tempo: factor up to 4, or quarter notes a minute from 10 on. Default: as written.
    """

    part: str = ""
    voice_part: str = ""
    verse: int | None = None
    tempo: float | None = None
