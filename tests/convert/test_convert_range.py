"""Where a song leaves the range of a voice, with melodies that are made note by note."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.convert import range_fit
from autovoice.convert.outside import Melody
from autovoice.note_names import midi_hz
from autovoice.types import Pitch, PitchRange, RangeFit, Speaker

HOP_S = 0.01
# C3 (48) to A4 (69), well over an octave and a half, so that nothing is added.
VOICE = (midi_hz(57), midi_hz(48), midi_hz(69))


def speaker(median_hz: float, low_hz: float, high_hz: float) -> Speaker:
    return Speaker(np.zeros(128, np.float32), np.zeros(256, np.float32), median_hz, low_hz, high_hz)


def melody(*parts: tuple[float, float], offset_s: float = 0.0, hop_s: float = HOP_S) -> Pitch:
    """Return a pitch curve of (MIDI number, seconds); 0 is a pause."""
    curve = [
        np.full(round(seconds / hop_s), midi_hz(note) if note else 0.0, np.float32)
        for note, seconds in parts
    ]
    f0_hz = np.concatenate(curve) if curve else np.zeros(0, np.float32)
    return Pitch(f0_hz, np.ones_like(f0_hz), hop_s, offset_s)


def fit(pitch: Pitch, semitones: int = 0) -> RangeFit:
    return range_fit(pitch, speaker(*VOICE), semitones)


def times(found: RangeFit) -> list[tuple[float, float]]:
    return [(round(span.start_s, 3), round(span.end_s, 3)) for span in found.spans]


def test_a_song_in_range_has_nothing_outside() -> None:
    found = fit(melody((50, 5), (0, 1), (60, 5), (67, 5)))
    assert (found.share_above, found.share_below, found.share_outside) == (0.0, 0.0, 0.0)
    assert (found.spans, found.why_not) == ((), "")
    assert [shift and shift.semitones for shift in (found.auto, found.octave, found.key)] == [0] * 3
    assert found.song is not None
    assert found.song.notes == "D3 to G4"
    assert found.song.median_hz == pytest.approx(midi_hz(60))


def test_a_chorus_above_is_told_with_times_note_and_distance() -> None:
    found = fit(melody((60, 10), (76, 2), (0, 3), (60, 4), (74, 1)))
    assert times(found) == [(9.995, 11.995), (18.995, 19.995)]
    first, second = found.spans
    assert (first.side, first.note, first.beyond_semitones) == ("above", 76, 7)
    assert (second.note, second.beyond_semitones) == (74, 5)
    assert first.outside_s == pytest.approx(2.0)
    # Pauses do not count: 3 s of 17 s of notes.
    assert found.share_above == pytest.approx(3 / 17)
    assert found.share_below == 0.0


def test_the_shift_moves_the_song_before_it_is_compared() -> None:
    pitch = melody((60, 10), (76, 2))
    down = fit(pitch, -7)
    assert (down.semitones, down.spans, down.share_outside) == (-7, (), 0.0)
    assert down.song is not None
    assert down.song.median_hz == pytest.approx(midi_hz(53))
    low = fit(pitch, -24)
    assert [(span.side, span.note, span.beyond_semitones) for span in low.spans] == [
        ("below", 36, 12)
    ]
    assert low.share_below == pytest.approx(10 / 12)


def test_both_sides_are_told_apart_even_when_they_touch() -> None:
    found = fit(melody((60, 1), (40, 1), (80, 1), (60, 1)))
    assert [span.side for span in found.spans] == ["below", "above"]
    assert found.share_above == found.share_below == pytest.approx(0.25)


@pytest.mark.parametrize(("gap_s", "count"), [(0.49, 1), (0.5, 2), (0.6, 2)])
@pytest.mark.parametrize("between", [0, 60])
def test_places_less_than_half_a_second_apart_are_one(
    gap_s: float, count: int, between: int
) -> None:
    found = fit(melody((60, 2), (75, 1), (between, gap_s), (75, 1), (60, 2)))
    assert len(found.spans) == count
    # What lies between them is not outside for that.
    assert sum(span.outside_s for span in found.spans) == pytest.approx(2.0)


@pytest.mark.parametrize(("seconds", "count"), [(0.09, 0), (0.10, 1), (0.2, 1)])
def test_what_is_shorter_than_a_tenth_of_a_second_is_dropped(seconds: float, count: int) -> None:
    found = fit(melody((60, 2), (75, seconds), (60, 2)))
    assert len(found.spans) == count
    assert found.share_outside == pytest.approx(seconds / (4 + seconds) if count else 0.0)


def test_slips_do_not_add_up_to_a_place_across_gaps() -> None:
    slips = [(75.0, 0.03), (60.0, 0.4)] * 3
    assert fit(melody((60, 2), *slips)).spans == ()


def test_a_slip_inside_a_place_is_not_its_farthest_note() -> None:
    found = fit(melody((72, 1), (96, 0.05), (74, 0.2), (72, 1)))
    assert [span.note for span in found.spans] == [74]


def test_vibrato_on_the_last_note_is_inside_and_the_next_note_is_not() -> None:
    at_s = np.arange(200) * HOP_S
    wobble = 69 + 0.4 * np.sin(2 * np.pi * 5.5 * at_s)
    pitch = Pitch(
        (440 * 2 ** ((wobble - 69) / 12)).astype(np.float32), np.ones(200, np.float32), HOP_S
    )
    assert fit(pitch).spans == ()
    assert [span.beyond_semitones for span in fit(pitch, 1).spans] == [1]


def test_times_follow_hop_and_offset_and_never_start_before_the_song() -> None:
    found = fit(melody((75, 0.8), (60, 1.6), (75, 0.8), hop_s=0.016, offset_s=0.004))
    assert times(found) == [(0.0, 0.796), (2.396, 3.196)]


@pytest.mark.parametrize("pitch", [melody(), melody((0, 5))])
def test_without_notes_there_is_no_comparison(pitch: Pitch) -> None:
    found = fit(pitch, 5)
    assert (found.semitones, found.song, found.share_outside, found.spans) == (5, None, None, ())
    assert found.voice is not None
    assert found.auto is found.octave is found.key is None
    assert found.why_not == "no pitch was found in the song"


def test_a_voice_without_pitch_leaves_the_range_of_the_song() -> None:
    found = range_fit(melody((60, 1)), speaker(0.0, 0.0, 0.0), -12)
    assert (found.voice, found.share_outside) == (None, None)
    assert found.song is not None
    assert found.song.notes == "C3 to C3"
    assert found.why_not == "the pitch of the voice is not known"


def test_what_is_no_number_is_no_note() -> None:
    pitch = melody((60, 1), (75, 1))
    pitch.f0_hz[:50] = np.nan
    assert fit(pitch).share_above == pytest.approx(100 / 150)


def test_the_best_key_holds_a_song_that_no_octave_holds() -> None:
    # As wide as the voice, but a third too high.
    found = fit(melody(*((note, 1.0) for note in range(53, 74))))
    assert found.auto is not None
    assert found.octave is not None
    assert found.key is not None
    assert found.octave.share_outside == pytest.approx(4 / 21)
    assert (found.key.semitones, found.key.backing_semitones) == (-4, -4)
    assert found.key.share_outside == 0.0


def test_a_song_wider_than_the_voice_leaves_some_outside_with_any_shift() -> None:
    found = fit(melody(*((note, 1.0) for note in range(36, 85))))
    assert found.key is not None
    assert found.key.share_outside == pytest.approx(27 / 49)
    assert {span.side for span in found.spans} == {"above", "below"}


def test_a_better_octave_than_the_one_of_the_rule_is_told() -> None:
    # The median, 146 Hz, lies over what a low voice speaks; an octave down the song has no floor.
    low_voice = speaker(94.7, 72.5, 125.4)
    pitch = melody(*((float(note), 1.0) for note in range(46, 56)))
    found = range_fit(pitch, low_voice, -12)
    assert found.auto is not None
    assert found.octave is not None
    assert (found.auto.semitones, found.octave.semitones) == (-12, 0)
    assert found.auto.share_outside > 0.3
    assert found.octave.share_outside == 0.0
    assert found.key == found.octave


@pytest.mark.parametrize("seconds", [10.0, 3_600.0])
def test_shares_of_both_sides_add_up_whatever_the_length(seconds: float) -> None:
    numbers = np.random.default_rng(3)
    f0_hz = 440 * 2 ** (numbers.uniform(-3, 2, round(seconds / HOP_S)))
    f0_hz[numbers.random(len(f0_hz)) < 0.3] = 0
    pitch = Pitch(f0_hz.astype(np.float32), np.ones(len(f0_hz), np.float32), HOP_S)
    voice = PitchRange(VOICE[1], VOICE[0], VOICE[2])
    found, notes = fit(pitch), Melody.of(pitch)
    assert found.share_outside == pytest.approx(notes.share_outside(voice, 0))
    outside_s = sum(span.outside_s for span in found.spans)
    assert outside_s == pytest.approx((found.share_outside or 0) * (f0_hz > 0).sum() * HOP_S)
