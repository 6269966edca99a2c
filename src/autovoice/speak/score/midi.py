"""Read MIDI files with lyrics, such as notation programs and karaoke files have them.

Source: Standard MIDI Files 1.0 (MIDI Association); the file is parsed by mido.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from autovoice.errors import InputError
from autovoice.speak.score.musicxml import LONGEST_SYLLABLE
from autovoice.speak.score.records import Choice, Note, Place, Score, Syllable
from autovoice.speak.score.tempo import DEFAULT_BPM, TempoMap

LARGEST_BYTES = 16_000_000
MOST_EVENTS = 1_000_000
PERCUSSION = 9
# A syllable belongs to the note that begins within so many beats of it.
NEAR_BEATS = 0.25
_LINE_SIGNS = re.compile(r"^[/\\\r\n]+")


@dataclass
class _Track:
    """One channel of one track.

    Args:
        name: of the track.
        notes: (begin, end, key) in ticks.
    """

    name: str
    notes: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class _File:
    """What a file holds, in ticks."""

    ticks: int
    end: int = 0
    title: str = ""
    tempos: list[tuple[int, float]] = field(default_factory=list)
    lyrics: list[tuple[int, str]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    tracks: list[_Track] = field(default_factory=list)
    percussion: bool = False


def read_midi(data: bytes, where: str, choice: Choice) -> Score:
    """Return the line of a MIDI file that is sung.

    Args:
        data: the file.
        where: its name, for messages.
        choice: the part is the name or number of a track with notes.

    Raises:
        InputError: it is damaged, or there is nothing to sing.
    """
    file = _parsed(data, where)
    words = _syllables(file)
    if not file.tracks:
        found = "percussion only" if file.percussion else "no notes"
        raise InputError(f"{where}: found {found}, expected a melody to sing")
    track, remarks = _track(file, words, choice)
    notes, chords = _one_by_one(track.notes)
    if chords:
        remarks.append(f"{chords} chords: the top note is sung")
    beats = [(Fraction(tick, file.ticks), bpm) for tick, bpm in file.tempos]
    tempo = TempoMap(beats, choice.tempo)
    if not tempo.given:
        remarks.append(f"no tempo is written: {DEFAULT_BPM:g} quarter notes a minute")
    sung, lost = _with_words(notes, words, round(NEAR_BEATS * file.ticks))
    if lost:
        remarks.append(f"{lost} syllables have no note near them and are left out")

    def seconds(tick: int) -> float:
        return tempo.seconds(Fraction(tick, file.ticks))

    placed = tuple(Note(seconds(a), seconds(b), float(key), said) for a, b, key, said in sung)
    end_s = max(seconds(file.end), placed[-1].end_s)
    return Score(placed, end_s, file.title, track.name, tuple(remarks))


def _parsed(data: bytes, where: str) -> _File:
    import mido

    if len(data) > LARGEST_BYTES:
        raise InputError(f"{where}: found {len(data)} bytes, expected at most {LARGEST_BYTES}")
    try:
        read = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
            mido.KeySignatureError) as error:  # fmt: skip
        what = str(error) or "it ends too early"
        raise InputError(
            f"{where}: found a damaged or truncated MIDI file ({what}); export it again"
        ) from error
    if read.type == 2 or not 1 <= read.ticks_per_beat < 0x8000:
        raise InputError(
            f"{where}: found MIDI of type {read.type} with {read.ticks_per_beat} ticks a beat, "
            "expected type 0 or 1 in ticks per quarter note"
        )
    if sum(map(len, read.tracks)) > MOST_EVENTS:
        raise InputError(f"{where}: found more than {MOST_EVENTS} events; split the score")
    file = _File(read.ticks_per_beat)
    for number, track in enumerate(read.tracks, 1):
        _gather(file, track, f"track {number}")
    for kind in (file.tempos, file.lyrics, file.texts):
        kind.sort(key=lambda event: event[0])
    return file


def _gather(file: _File, track: Any, fallback: str) -> None:
    """Read one track into the file's lists."""
    channels: dict[int, _Track] = {}
    sounding: dict[tuple[int, int], int] = {}
    name, tick = _decoded(track.name or "") or fallback, 0
    file.title = file.title or _decoded(track.name or "")
    for message in track:
        tick += message.time
        file.end = max(file.end, tick)
        if message.type == "set_tempo":
            if message.tempo <= 0:
                raise InputError("score: found a tempo of 0, expected a time for each beat")
            file.tempos.append((tick, 6e7 / message.tempo))
        elif message.type == "lyrics":
            file.lyrics.append((tick, _decoded(message.text)))
        elif message.type == "text" and not message.text.startswith("@"):
            file.texts.append((tick, _decoded(message.text)))
        elif message.type in ("note_on", "note_off"):
            if message.channel == PERCUSSION:
                file.percussion = True
                continue
            place = (message.channel, message.note)
            begun = sounding.pop(place, None)
            if begun is not None and tick > begun:
                held = channels.setdefault(message.channel, _Track(name))
                held.notes.append((begun, tick, message.note))
            if message.type == "note_on" and message.velocity > 0:
                sounding[place] = tick
    for (channel, note), begun in sounding.items():
        if file.end > begun:
            channels.setdefault(channel, _Track(name)).notes.append((begun, file.end, note))
    file.tracks += channels.values()


def _decoded(text: str) -> str:
    """Return text of bytes that may be UTF-8; mido reads them as Latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _syllables(file: _File) -> list[tuple[int, Syllable]]:
    """Return the syllables with their ticks.

    Where spaces stand between words (karaoke files), what has none goes on with the word;
    otherwise a hyphen at the end does.
    """
    events = file.lyrics or (file.texts if len(file.texts) > 4 else [])
    cleaned = [(tick, _LINE_SIGNS.sub(" ", text)) for tick, text in events]
    spaced = any(text.strip() and text != text.strip() for _, text in cleaned[1:])
    hyphens = any(text.strip().endswith("-") for _, text in cleaned)
    found: list[tuple[int, Syllable]] = []
    kept = [(tick, text) for tick, text in cleaned if text.strip(" -_~+")]
    inside = False
    for place, (tick, text) in enumerate(kept):
        word = text.strip().rstrip("-_~")
        following = kept[place + 1][1] if place + 1 < len(kept) else " "
        goes_on = text.strip().endswith("-")
        if spaced and not hyphens:
            goes_on = not text.endswith(" ") and not following.startswith(" ")
        where: Place = (
            ("middle" if inside else "begin") if goes_on else ("end" if inside else "single")
        )
        inside = goes_on
        found.append((tick, Syllable(word[:LONGEST_SYLLABLE], where)))
    return found


def _track(
    file: _File, words: Sequence[tuple[int, Syllable]], choice: Choice
) -> tuple[_Track, list[str]]:
    """Return the track whose notes begin where the syllables are."""
    tracks = file.tracks
    if choice.part:
        for track in tracks:
            if track.name.casefold() == choice.part.casefold():
                return track, []
        if choice.part.isdecimal() and 1 <= int(choice.part) <= len(tracks):
            return tracks[int(choice.part) - 1], []
        known = ", ".join(f"{number} {track.name}" for number, track in enumerate(tracks, 1))
        raise InputError(f"part: found {choice.part!r}, expected one of: {known}")
    ticks = {tick for tick, _ in words}

    def sung(track: _Track) -> float:
        onsets = {begin for begin, _, _ in track.notes}
        return len(onsets & ticks) / max(len(onsets | ticks), 1)

    best = max(tracks, key=sung) if ticks else tracks[0]
    if len(tracks) == 1:
        return best, []
    why = "its notes begin with the syllables" if ticks else "the first with notes"
    others = ", ".join(track.name for track in tracks if track is not best)
    return best, [f"sung: {best.name}, {why}; others: {others} (--part)"]


def _one_by_one(notes: Sequence[tuple[int, int, int]]) -> tuple[list[tuple[int, int, int]], int]:
    """Return the top line: the highest of notes that begin together, cut where the next begins."""
    line: list[tuple[int, int, int]] = []
    chords = 0
    for begin, end, key in sorted(notes, key=lambda note: (note[0], -note[2])):
        if line and line[-1][0] == begin:
            chords += 1
            continue
        if line and line[-1][1] > begin:
            line[-1] = (line[-1][0], begin, line[-1][2])
        line.append((begin, end, key))
    return line, chords


def _with_words(
    notes: Sequence[tuple[int, int, int]], words: Sequence[tuple[int, Syllable]], near: int
) -> tuple[list[tuple[int, int, int, tuple[Syllable, ...]]], int]:
    """Give each syllable to the note that begins nearest to it."""
    onsets = [begin for begin, _, _ in notes]
    given: dict[int, list[Syllable]] = {}
    lost = 0
    for tick, syllable in words:
        place = bisect_left(onsets, tick)
        close = [k for k in (place - 1, place) if 0 <= k < len(onsets)]
        best = min(close, key=lambda k: abs(onsets[k] - tick))
        if abs(onsets[best] - tick) > near:
            lost += 1
            continue
        given.setdefault(best, []).append(syllable)
    sung = [(a, b, key, tuple(given.get(k, ()))) for k, (a, b, key) in enumerate(notes)]
    return sung, lost
