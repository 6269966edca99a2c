"""Frequencies as notes of the keyboard."""

from __future__ import annotations

import pytest

from autovoice.note_names import midi, midi_hz, nearest_note, note_name


@pytest.mark.parametrize(
    ("f0_hz", "name"),
    [
        (440.0, "A4"),
        (261.63, "C4"),
        (27.5, "A0"),
        (16.35, "C0"),
        (8.18, "C-1"),
        (277.18, "C♯4"),
        (233.08, "B♭3"),
        (783.99, "G5"),
        (1_108.7, "C♯6"),
    ],
)
def test_frequencies_have_the_names_of_the_keys(f0_hz: float, name: str) -> None:
    assert note_name(nearest_note(f0_hz)) == name
    assert midi_hz(midi(f0_hz)) == pytest.approx(f0_hz)


def test_the_nearest_note_changes_a_quarter_tone_off() -> None:
    quarter = 2 ** (1 / 24)
    assert nearest_note(440.0 * quarter * 0.9999) == 69
    assert nearest_note(440.0 * quarter * 1.0001) == 70
    assert nearest_note(440.0 / quarter * 0.9999) == 68


def test_an_octave_has_twelve_names() -> None:
    names = [note_name(note) for note in range(60, 73)]
    assert len(set(names)) == 13
    assert (names[0], names[-1]) == ("C4", "C5")
