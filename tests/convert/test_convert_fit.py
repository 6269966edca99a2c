"""The octave in which a voice sings a melody."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.convert import semitones_auto
from autovoice.types import Pitch, Speaker


def _melody(*f0_hz: float) -> Pitch:
    values = np.array(f0_hz, np.float32)
    return Pitch(values, np.ones_like(values), 0.0125)


def _voice(median_hz: float, low_hz: float = 0.0, high_hz: float = 0.0) -> Speaker:
    return Speaker(np.zeros(128, np.float32), np.zeros(256, np.float32), median_hz, low_hz, high_hz)


@pytest.mark.parametrize(
    ("source_hz", "voice_hz", "expected"),
    [
        (220.0, 220.0, 0),
        (220.0, 112.0, -12),
        (110.0, 225.0, 12),
        (100.0, 410.0, 24),
        (800.0, 190.0, -24),
        (60.0, 1_000.0, 24),  # four octaves would be nearer: not more than two are moved
        (220.0, 240.0, 0),
    ],
)
def test_whole_octaves_towards_the_voice(source_hz: float, voice_hz: float, expected: int) -> None:
    voice = _voice(voice_hz, voice_hz * 0.8, voice_hz * 1.25)
    assert semitones_auto(_melody(source_hz), voice) == expected


def test_the_median_of_what_is_voiced_decides() -> None:
    melody = _melody(0, 0, 0, 0, 0, 219, 220, 221, 1_500)
    assert semitones_auto(melody, _voice(110.0, 90.0, 140.0)) == -12


def test_being_in_range_counts_before_being_near_the_median() -> None:
    # 300 Hz is nearer to the median than 150 Hz, but the voice ends at 250 Hz.
    assert semitones_auto(_melody(300.0), _voice(240.0, 140.0, 250.0)) == -12
    assert semitones_auto(_melody(300.0), _voice(240.0, 140.0, 310.0)) == 0


def test_a_tie_leaves_the_melody_where_it_is() -> None:
    # Half an octave off either way.
    half = 200.0 * 2**0.5
    assert semitones_auto(_melody(half), _voice(200.0, 100.0, 400.0)) == 0
    assert semitones_auto(_melody(200.0), _voice(half, 100.0, 500.0)) == 0


def test_without_a_range_the_median_is_the_range() -> None:
    assert semitones_auto(_melody(400.0), _voice(210.0)) == -12


def test_without_pitch_nothing_moves() -> None:
    assert semitones_auto(_melody(0.0, 0.0), _voice(200.0, 100.0, 300.0)) == 0
    assert semitones_auto(_melody(), _voice(200.0, 100.0, 300.0)) == 0
    assert semitones_auto(_melody(440.0), _voice(0.0)) == 0


def test_of_octaves_that_hold_the_median_the_one_wins_that_holds_the_chorus() -> None:
    # The median fits at 300 Hz and at 150 Hz; the third of the song at 900 Hz only an octave down.
    wide = _voice(260.0, 120.0, 480.0)
    assert semitones_auto(_melody(*[300.0] * 2), wide) == 0
    assert semitones_auto(_melody(*[300.0] * 200, *[900.0] * 100), wide) == -12


def test_a_few_notes_outside_do_not_move_a_song() -> None:
    wide = _voice(260.0, 120.0, 480.0)
    assert semitones_auto(_melody(*[300.0] * 980, *[900.0] * 20), wide) == 0


def test_the_median_counts_before_the_chorus() -> None:
    # Half of the song is far above, but an octave down the median leaves what the voice speaks.
    narrow = _voice(200.0, 160.0, 260.0)
    assert semitones_auto(_melody(*[200.0] * 110, *[900.0] * 100), narrow) == 0
