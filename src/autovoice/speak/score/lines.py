"""Choose the line that is sung from the parts of a score, and give its notes their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from autovoice.errors import InputError
from autovoice.speak.score.bars import Bar, Event, sung_order
from autovoice.speak.score.musicxml import Part
from autovoice.speak.score.records import Choice, Note, Score, Syllable
from autovoice.speak.score.tempo import DEFAULT_BPM, TempoMap

GRACE_BEATS = Fraction(1, 8)
_FOUND = {
    "chord": "chords: the top note is sung",
    "zero": "notes of length 0 are left out",
    "grace": "grace notes take up to an eighth of a beat of their note",
    "unpitched": "percussion is not sung",
}


@dataclass(frozen=True)
class _Placed:
    """A note at its beat."""

    at: Fraction
    end: Fraction
    key: float
    syllables: tuple[Syllable, ...]


def score_of(title: str, parts: Sequence[Part], choice: Choice) -> Score:
    """Return the line of a MusicXML score that is sung.

    Raises:
        InputError: there is no such part, line or verse, or nothing to sing.
    """
    part, line, remarks = chosen(parts, choice)
    bars = _with_all_tempos(parts, part)
    remarks += [f"{count} {_FOUND[what]}" if what != "unpitched" else _FOUND[what]
                for what, count in part.found.items()]  # fmt: skip
    order = sung_order(bars)
    if len(order) != len(bars):
        remarks.append(f"repeats are sung: {len(bars)} bars become {len(order)}")
    jumps = sorted({jump for bar in bars for jump in bar.jumps})
    if jumps:
        remarks.append(f"not followed: {', '.join(jumps)}; write the bars out")
    remarks += _verse_remarks(bars, line, choice.verse)
    placed, tempos, end = _placed(bars, order, line, choice.verse)
    tempo = TempoMap(tempos, choice.tempo)
    if not tempo.given:
        remarks.append(f"no tempo is written: {DEFAULT_BPM:g} quarter notes a minute")
    notes = tuple(
        Note(tempo.seconds(note.at), tempo.seconds(note.end), note.key, note.syllables)
        for note in placed
    )
    return Score(notes, tempo.seconds(end), title, part.name, tuple(remarks))


def chosen(parts: Sequence[Part], choice: Choice) -> tuple[Part, str, list[str]]:
    """Return the part, the name of the line in it, and what to tell of the choice.

    Raises:
        InputError: there is no such part or line, or none has notes.
    """
    with_notes = [part for part in parts if any(bar.lines for bar in part.bars)]
    if not with_notes:
        only = any(part.found.get("unpitched") for part in parts)
        found = "percussion only" if only else "no notes"
        raise InputError(f"score: found {found}, expected a melody to sing")
    with_words = [part for part in with_notes if _words(part)]
    remarks = []
    if choice.part:
        part = _named(parts, choice.part)
    else:
        part = (with_words or with_notes)[0]
        if len(with_words or with_notes) > 1:
            others = ", ".join(
                other.name for other in (with_words or with_notes) if other is not part
            )
            what = "with words" if with_words else "with notes"
            remarks.append(f"sung: {part.name}, the first part {what}; others: {others} (--part)")
    lines = _lines(part)
    if not lines:
        raise InputError(f"part: found no notes in {part.name!r}, expected a melody")
    line = choice.voice_part or max(lines, key=lambda name: (lines[name], -list(lines).index(name)))
    if line not in lines:
        raise InputError(
            f"voice part: found {line!r}, expected one of {', '.join(lines)} of the part "
            f"{part.name!r}"
        )
    if len(lines) > 1 and not choice.voice_part:
        remarks.append(
            f"sung: voice {line} of {', '.join(lines)} in {part.name}, the one with most words "
            "(--voice-part)"
        )
    return part, line, remarks


def _named(parts: Sequence[Part], wanted: str) -> Part:
    for part in parts:
        if wanted.casefold() in (part.name.casefold(), part.identifier.casefold()):
            return part
    if wanted.isdecimal() and 1 <= int(wanted) <= len(parts):
        return parts[int(wanted) - 1]
    known = ", ".join(f"{number} {part.name}" for number, part in enumerate(parts, 1))
    raise InputError(f"part: found {wanted!r}, expected one of: {known}")


def _lines(part: Part) -> dict[str, int]:
    """Return how many notes with words each line has."""
    found: dict[str, int] = {}
    for bar in part.bars:
        for name, events in bar.lines.items():
            found[name] = found.get(name, 0) + sum(bool(event.verses) for event in events)
    return found


def _words(part: Part) -> int:
    return sum(_lines(part).values())


def _verse_remarks(bars: Sequence[Bar], line: str, verse: int | None) -> list[str]:
    verses = {v for bar in bars for event in bar.lines.get(line, ()) for v in event.verses}
    if verse is not None and verses and verse not in verses:
        known = ", ".join(map(str, sorted(verses)))
        raise InputError(f"verse: found {verse}, expected one of {known}")
    if len(verses) < 2 or verse is not None:
        return []
    known = ", ".join(map(str, sorted(verses)))
    return [f"verses {known} are written; sung: 1, and the n-th in the n-th repeat (--verse)"]


def _with_all_tempos(parts: Sequence[Part], part: Part) -> list[Bar]:
    """Return the bars of a part with what other parts say of tempo, length and repeats."""
    bars = []
    for place, bar in enumerate(part.bars):
        beside = [other.bars[place] for other in parts if place < len(other.bars)]
        bars.append(
            Bar(
                length=max(other.length for other in beside),
                lines=bar.lines,
                tempos=bar.tempos or next((other.tempos for other in beside if other.tempos), []),
                forward=any(other.forward for other in beside),
                times=max(other.times for other in beside),
                endings=bar.endings or frozenset().union(*(other.endings for other in beside)),
                jumps=frozenset().union(*(other.jumps for other in beside)),
            )
        )
    return bars


def _placed(
    bars: Sequence[Bar], order: Sequence[tuple[int, int]], line: str, verse: int | None
) -> tuple[list[_Placed], list[tuple[Fraction, float]], Fraction]:
    """Return the notes at their beats with ties joined, the tempos, and the end."""
    placed: list[_Placed] = []
    tempos: list[tuple[Fraction, float]] = []
    begin, tied = Fraction(0), False
    for place, sung_pass in order:
        bar = bars[place]
        tempos += [(begin + at, bpm) for at, bpm in bar.tempos]
        events = sorted(bar.lines.get(line, ()), key=lambda event: event.at)
        wanted = _verse(events, verse or sung_pass)
        for event in events:
            start = begin + event.at
            last = placed[-1] if placed else None
            joins = tied and event.ties_back and last is not None
            if joins and last is not None and last.key == event.key and last.end == start:
                placed[-1] = _Placed(last.at, start + event.length, last.key, last.syllables)
            else:
                _place(placed, event, start, event.verses.get(wanted, ()))
            tied = event.ties_on
        begin += bar.length
    return placed, tempos, begin


def _place(
    placed: list[_Placed], event: Event, start: Fraction, syllables: tuple[Syllable, ...]
) -> None:
    """Add a note, its grace notes before it; what it overlaps is cut off."""
    if placed and placed[-1].end > start:
        last = placed.pop()
        if last.at < start:
            placed.append(_Placed(last.at, start, last.key, last.syllables))
    if event.graces:
        each = min(GRACE_BEATS, event.length / 2) / len(event.graces)
        for place, key in enumerate(event.graces):
            begin = start + place * each
            placed.append(_Placed(begin, begin + each, key, syllables if not place else ()))
        end, start, syllables = start + event.length, start + each * len(event.graces), ()
        placed.append(_Placed(start, end, event.key, syllables))
        return
    placed.append(_Placed(start, start + event.length, event.key, syllables))


def _verse(events: Sequence[Event], wanted: int) -> int:
    """Return the verse that is sung in a bar: a refrain is written once for all verses."""
    found = {verse for event in events for verse in event.verses}
    if wanted in found or not found:
        return wanted
    return min(found)
