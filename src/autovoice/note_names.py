"""Pitch on the keyboard: frequencies as semitones and as names of notes, A4 being 440 Hz."""

from __future__ import annotations

import math
from functools import lru_cache

_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_A4_HZ = 440.0


def midi(f0_hz: float) -> float:
    """Return the pitch in semitones, 69 for 440 Hz."""
    return 69.0 + 12.0 * math.log2(f0_hz / _A4_HZ)


def midi_hz(note: float) -> float:
    """Return the frequency of a pitch in semitones."""
    return float(_A4_HZ * 2.0 ** ((note - 69.0) / 12.0))


def note_name(note: int) -> str:
    """Return a note's name.

    >>> note_name(69), note_name(60), note_name(58)
    ('A4', 'C4', 'B♭3')
    """
    return f"{_NAMES[note % 12]}{note // 12 - 1}"


@lru_cache(1024)
def nearest_note(f0_hz: float) -> int:
    """Return the note that a frequency is nearest to, in whole semitones.

    >>> nearest_note(440.0), nearest_note(450.0), nearest_note(455.0)
    (69, 69, 70)
    """
    return math.floor(midi(f0_hz) + 0.5)
