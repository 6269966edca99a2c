"""Scores: MusicXML and MIDI in, one line of notes with syllables out."""

from __future__ import annotations

from autovoice.speak.score.reading import read_score
from autovoice.speak.score.records import Choice, Note, Score, Syllable

__all__ = ["Choice", "Note", "Score", "Syllable", "read_score"]
