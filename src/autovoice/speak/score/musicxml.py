"""Read MusicXML: parts, bars, notes and the syllables under them.

Source: MusicXML 4.0 (W3C Music Notation Community Group, 2021).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

from autovoice.errors import InputError
from autovoice.speak.score.bars import Bar, Event
from autovoice.speak.score.records import Place, Syllable
from autovoice.speak.score.xml import Element

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "breve": 8.0}
_JUMPS = ("dacapo", "dalsegno", "tocoda", "fine")
LONGEST_SYLLABLE = 64
MOST_BEATS = 10_000


@dataclass
class Part:
    """A part as written.

    Args:
        identifier, name: in the file.
        bars: in order.
        found: how often something was met that is sung in another way than written.
    """

    identifier: str
    name: str
    bars: list[Bar] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)


@dataclass
class _State:
    """What goes on from bar to bar."""

    divisions: int = 1
    transpose: float = 0.0
    volta: frozenset[int] = frozenset()


def read_parts(root: Element, where: str) -> tuple[str, list[Part]]:
    """Return the title and the parts of a document.

    Raises:
        InputError: it is no MusicXML score, or a number in it makes no sense.
    """
    if root.name not in ("score-partwise", "score-timewise"):
        raise InputError(f"{where}: found <{root.name}>, expected a MusicXML score")
    title = root.words("work/work-title") or root.words("movement-title")
    names = {
        str(part.attributes.get("id", "")): part.words("part-name")
        for each in root.all("part-list")
        for part in each.all("score-part")
    }
    parts = []
    for identifier, measures in _measures(root).items():
        part = Part(identifier, names.get(identifier, "") or identifier)
        state = _State()
        for number, measure in enumerate(measures, 1):
            reader = _BarReader(part, state, f"{where}, part {part.name!r}, bar {number}")
            part.bars.append(reader.read(measure))
        parts.append(part)
    return title, parts


def _measures(root: Element) -> dict[str, list[Element]]:
    """Return the measures of each part, whichever of the two comes first in the file."""
    found: dict[str, list[Element]] = {}
    if root.name == "score-partwise":
        for part in root.all("part"):
            found.setdefault(part.attributes.get("id", ""), []).extend(part.all("measure"))
        return found
    for measure in root.all("measure"):
        for part in measure.all("part"):
            found.setdefault(part.attributes.get("id", ""), []).append(part)
    return found


class _BarReader:
    """Read one bar of one part."""

    def __init__(self, part: Part, state: _State, where: str) -> None:
        self._part, self._state, self._where = part, state, where
        self._bar = Bar()
        self._at = Fraction(0)
        self._last: Event | None = None
        self._graces: list[float] = []
        self._grace_words: dict[int, tuple[Syllable, ...]] = {}
        self._ended = False

    def read(self, measure: Element) -> Bar:
        self._bar.endings = self._state.volta
        for element in measure.children:
            self._element(element)
        if self._ended:
            self._state.volta = frozenset()
        return self._bar

    def _element(self, element: Element) -> None:
        if element.name == "note":
            self._note(element)
        elif element.name in ("backup", "forward"):
            length = self._length(element)
            self._move(-length if element.name == "backup" else length)
        elif element.name == "attributes":
            self._attributes(element)
        elif element.name == "direction":
            self._direction(element)
        elif element.name == "sound":
            self._sound(element)
        elif element.name == "barline":
            self._barline(element)

    def _move(self, length: Fraction) -> None:
        self._at = max(self._at + length, Fraction(0))
        self._bar.length = max(self._bar.length, self._at)
        if self._bar.length > MOST_BEATS:
            raise InputError(f"{self._where}: found a bar of more than {MOST_BEATS} beats")

    def _count(self, what: str) -> None:
        self._part.found[what] = self._part.found.get(what, 0) + 1

    def _attributes(self, element: Element) -> None:
        if element.words("divisions"):
            divisions = self._number(element.words("divisions"), "divisions")
            if not 1 <= divisions <= 1_000_000:
                raise InputError(
                    f"{self._where}: found divisions {divisions:g}, expected 1 or more"
                )
            self._state.divisions = int(divisions)
        change = element.find("transpose")
        if change is not None:
            steps = self._number(change.words("chromatic") or "0", "chromatic")
            octaves = self._number(change.words("octave-change") or "0", "octave-change")
            self._state.transpose = steps + 12 * octaves

    def _number(self, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not abs(value) <= 1e9:
            raise InputError(f"{self._where}: found {text[:20]!r} as {what}, expected a number")
        return value

    def _length(self, element: Element) -> Fraction:
        length = self._number(element.words("duration") or "0", "duration")
        if length < 0:
            raise InputError(f"{self._where}: found a length of {length:g}, expected 0 or more")
        return Fraction(length).limit_denominator(100_000) / self._state.divisions

    def _direction(self, element: Element) -> None:
        sound = element.find("sound")
        if sound is not None:
            self._sound(sound)
            if "tempo" in sound.attributes:
                return
        for kind in element.all("direction-type"):
            metronome = kind.find("metronome")
            beat = metronome.words("beat-unit") if metronome is not None else ""
            if metronome is None or beat not in _UNITS or not metronome.words("per-minute"):
                continue
            numbers = re.findall(r"\d+(?:\.\d+)?", metronome.words("per-minute"))
            dots = len(metronome.all("beat-unit-dot"))
            if numbers:
                unit = _UNITS[beat] * (2 - 0.5**dots)
                self._bar.tempos.append((self._at, float(numbers[0]) * unit))

    def _sound(self, element: Element) -> None:
        if "tempo" in element.attributes:
            bpm = self._number(element.attributes["tempo"], "tempo")
            self._bar.tempos.append((self._at, bpm))
        self._bar.jumps |= {word for word in _JUMPS if word in element.attributes}

    def _barline(self, element: Element) -> None:
        ending, repeat = element.find("ending"), element.find("repeat")
        if ending is not None:
            if ending.attributes.get("type") == "start":
                numbers = re.findall(r"\d{1,2}", ending.attributes.get("number", "1"))
                self._state.volta = frozenset(map(int, numbers))
                self._bar.endings = self._state.volta
            else:
                self._ended = True
        if repeat is not None:
            if repeat.attributes.get("direction") == "forward":
                self._bar.forward = True
            else:
                self._bar.times = int(self._number(repeat.attributes.get("times", "2"), "times"))

    def _note(self, element: Element) -> None:
        grace, chord = element.find("grace") is not None, element.find("chord") is not None
        length = Fraction(0) if grace else self._length(element)
        pitch = element.find("pitch")
        silent = pitch is None or element.find("cue") is not None
        if silent or (length <= 0 and not grace):
            if element.find("unpitched") is not None:
                self._count("unpitched")
            elif not silent:
                self._count("zero")
            if not chord:
                self._move(length)
            return
        key = self._key(pitch) if pitch is not None else 0.0
        if chord:
            self._chord(key, grace=grace)
        elif grace:
            self._graces.append(key)
            self._grace_words = self._grace_words or self._words(element)
            self._count("grace")
        else:
            self._plain(element, key, length)

    def _key(self, pitch: Element) -> float:
        step = _STEPS.get(pitch.words("step").upper())
        if step is None:
            raise InputError(
                f"{self._where}: found the step {pitch.words('step')[:20]!r}, expected A to G"
            )
        alter = self._number(pitch.words("alter") or "0", "alter")
        octave = self._number(pitch.words("octave"), "octave")
        key = 12 * (octave + 1) + step + alter + self._state.transpose
        if not 0 <= key <= 127:
            raise InputError(f"{self._where}: found a note out of any range (MIDI {key:g})")
        return key

    def _chord(self, key: float, *, grace: bool) -> None:
        """Keep the top note of a chord."""
        if grace and self._graces:
            self._graces[-1] = max(self._graces[-1], key)
        elif self._last is not None:
            self._last.key = max(self._last.key, key)
            self._count("chord")

    def _plain(self, element: Element, key: float, length: Fraction) -> None:
        ties = {tie.attributes.get("type") for tie in element.all("tie")}
        event = Event(
            self._at,
            length,
            key,
            self._words(element) or self._grace_words,
            tuple(self._graces),
            ties_on="start" in ties,
            ties_back="stop" in ties,
        )
        self._graces, self._grace_words = [], {}
        self._bar.lines.setdefault(element.words("voice") or "1", []).append(event)
        self._last = event
        self._move(length)

    def _words(self, element: Element) -> dict[int, tuple[Syllable, ...]]:
        """Return the syllables of a note by verse; an elision has several in one verse."""
        verses: dict[int, tuple[Syllable, ...]] = {}
        for lyric in element.all("lyric"):
            digits = re.findall(r"\d+", lyric.attributes.get("number", "1"))
            verse = int(digits[-1][:4]) if digits else 1
            place, found = "single", []
            for child in lyric.children:
                if child.name == "syllabic" and child.text.strip() in (
                    "single",
                    "begin",
                    "middle",
                    "end",
                ):
                    place = child.text.strip()
                elif child.name == "text" and child.text.strip():
                    found.append(Syllable(self._syllable(child.text), cast(Place, place)))
                    place = "single"
            if found and verse not in verses:
                verses[verse] = tuple(found)
        return verses

    def _syllable(self, text: str) -> str:
        text = " ".join(text.split())
        if len(text) > LONGEST_SYLLABLE:
            raise InputError(
                f"{self._where}: found {len(text)} characters under one note, expected at most "
                f"{LONGEST_SYLLABLE}"
            )
        return text
