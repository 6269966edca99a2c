"""The made sources: each asks for one thing that converters are known to fail at."""

from __future__ import annotations

from dataclasses import dataclass

from autovoice.eval.stress.place import Place
from autovoice.eval.stress.score import LEVEL_DB, Event, Noise, Note, perform

HELD_HZ = (110.0, 220.0, 440.0, 880.0)
HELD_S = 20.0
SCALE_HZ = (80.0, 1000.0)
GLIDE_HZ = (80.0, 1100.0)
_VOWELS = "aeiou"
_NOTE_S, _REST_S, _EDGE_S = 0.36, 0.04, 0.3
_SIBILANT_DB = LEVEL_DB - 6.0
_BREATH_DB = LEVEL_DB - 30.0
_WHISPER_DB = LEVEL_DB - 14.0


@dataclass(frozen=True)
class Score:
    """A score and how long it is; ``says`` tells what it is in words."""

    name: str
    kind: str
    says: str
    seconds: float
    events: tuple[Event, ...]


def scale() -> Score:
    """Return every semitone from 80 to 1,000 Hz, one vowel after the other, 0.4 s each."""
    notes: list[Event] = []
    while (pitch_hz := SCALE_HZ[0] * 2.0 ** (len(notes) / 12.0)) <= SCALE_HZ[1]:
        start_s = _EDGE_S + len(notes) * (_NOTE_S + _REST_S)
        vowel = _VOWELS[len(notes) % len(_VOWELS)]
        notes.append(Note(start_s, start_s + _NOTE_S, pitch_hz, vowel=vowel))
    seconds = 2 * _EDGE_S + len(notes) * (_NOTE_S + _REST_S)
    return Score("scale", "scale", "semitones from 80 to 1,000 Hz", seconds, tuple(notes))


def glide(*, up: bool) -> Score:
    """Return one slide between 80 and 1,100 Hz in 8 s."""
    low_hz, high_hz = GLIDE_HZ
    note = Note(_EDGE_S, 8.0 + _EDGE_S, low_hz, high_hz)
    if not up:
        note = Note(_EDGE_S, 8.0 + _EDGE_S, high_hz, low_hz)
    says = "a slide from 80 to 1,100 Hz" if up else "a slide from 1,100 to 80 Hz"
    return Score(f"glide_{'up' if up else 'down'}", "glide", says, 8.0 + 2 * _EDGE_S, (note,))


def staccato() -> Score:
    """Return notes of 0.2 s from 196 to 784 Hz with 0.3 s of silence between."""
    steps = (0, 4, 7, 12, 16, 19, 24, 19, 16, 12, 7, 4, 0, 7, 12, 24)
    notes = tuple(
        Note(
            _EDGE_S + 0.5 * number,
            _EDGE_S + 0.5 * number + 0.2,
            196.0 * 2.0 ** (step / 12.0),
            vowel=_VOWELS[number % len(_VOWELS)],
        )
        for number, step in enumerate(steps)
    )
    seconds = 2 * _EDGE_S + 0.5 * len(notes)
    return Score("staccato", "staccato", "notes of 0.2 s, 0.3 s of silence between", seconds, notes)


def whispered() -> Score:
    """Return syllables of noise through vowels, with sibilants before some of them."""
    events: list[Event] = []
    for number, vowel in enumerate(_VOWELS * 3):
        start_s = _EDGE_S + 0.45 * number
        if number % 3 == 0:
            events.append(Noise(start_s, start_s + 0.1, "s", _WHISPER_DB))
        events.append(Noise(start_s + 0.1, start_s + 0.4, vowel, _WHISPER_DB))
    seconds = 2 * _EDGE_S + 0.45 * 15
    return Score("whispered", "whispered", "syllables without any pitch", seconds, tuple(events))


def shouted() -> Score:
    """Return loud bright notes from 350 to 620 Hz that start below and fall at the end."""
    events: list[Event] = []
    for number, pitch_hz in enumerate((350.0, 415.0, 494.0, 554.0, 622.0, 494.0)):
        start_s, loud = _EDGE_S + 1.1 * number, {"level_db": LEVEL_DB + 8.0, "tilt_db": -2.0}
        vowel = "aeo"[number % 3]
        parts = ((0.0, 0.12, 0.8, 1.0), (0.12, 0.75, 1.0, 1.0), (0.75, 0.95, 1.0, 0.75))
        for begin_s, end_s, low, high in parts:
            span = start_s + begin_s, start_s + end_s
            events.append(Note(*span, low * pitch_hz, high * pitch_hz, vowel, **loud))
    seconds = 2 * _EDGE_S + 1.1 * 6
    return Score("shouted", "shouted", "loud, bright, 350 to 622 Hz", seconds, tuple(events))


def held(pitch_hz: float) -> Score:
    """Return one note of 20 s, as steady as a machine."""
    note = Note(_EDGE_S, HELD_S + _EDGE_S, pitch_hz)
    says = f"{pitch_hz:g} Hz for {HELD_S:g} s"
    return Score(f"held_{pitch_hz:g}", "held", says, HELD_S + 2 * _EDGE_S, (note,))


def vibrato() -> Score:
    """Return notes of 3 s at 196, 330 and 523 Hz that wave by 60 cents, 5.5 times a second."""
    notes = tuple(
        Note(_EDGE_S + 3.2 * k, _EDGE_S + 3.2 * k + 3.0, pitch_hz, vibrato_cents=60.0)
        for k, pitch_hz in enumerate((196.0, 330.0, 523.0))
    )
    says = "60 cents either way, 5.5 times a second"
    return Score("vibrato", "vibrato", says, 2 * _EDGE_S + 9.6, notes)


def sibilants() -> Score:
    """Return vowels at 220 and 330 Hz with ``s`` and ``sh`` of 0.2 s between them."""
    events: list[Event] = []
    for number in range(10):
        start_s = _EDGE_S + 0.6 * number
        pitch_hz, vowel = (220.0, 330.0)[number % 2], _VOWELS[number % len(_VOWELS)]
        events.append(Note(start_s, start_s + 0.4, pitch_hz, vowel=vowel))
        sound = ("s", "sh")[number // 2 % 2]
        events.append(Noise(start_s + 0.4, start_s + 0.6, sound, _SIBILANT_DB))
    says = "s and sh of 0.2 s between vowels"
    return Score("sibilants", "sibilants", says, 2 * _EDGE_S + 6.0, tuple(events))


def breaths() -> Score:
    """Return phrases of 1.4 s with breaths of 0.4 s, 30 dB under the voice, before each."""
    events: list[Event] = []
    for number, pitch_hz in enumerate((220.0, 262.0, 294.0, 330.0)):
        start_s = _EDGE_S + 2.2 * number
        events.append(Noise(start_s, start_s + 0.4, "h", _BREATH_DB))
        events += [
            Note(start_s + place_s, start_s + place_s + 0.7, high * pitch_hz, vowel=vowel)
            for place_s, high, vowel in ((0.5, 1.0, "o"), (1.2, 1.122, "a"))
        ]
    says = "breaths of 0.4 s between phrases"
    return Score("breaths", "breaths", says, 2 * _EDGE_S + 8.8, tuple(events))


def made_scores() -> tuple[Score, ...]:
    """Return the scores of the stress set, 167 s in all."""
    return (
        scale(),
        glide(up=True),
        glide(up=False),
        staccato(),
        whispered(),
        shouted(),
        *map(held, HELD_HZ),
        vibrato(),
        sibilants(),
        breaths(),
    )


def made(score: Score) -> Place:
    """Perform a score."""
    return Place(score.name, score.kind, perform(score.events, score.seconds), score.says)
