"""The comfortable range of a voice, and what is told of a fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autovoice.types import PitchRange, RangeFit, RangeSpan, ShiftAdvice, Speaker


def speaker(median_hz: float, low_hz: float = 0.0, high_hz: float = 0.0) -> Speaker:
    return Speaker(np.zeros(128, np.float32), np.zeros(256, np.float32), median_hz, low_hz, high_hz)


def test_a_speaking_voice_is_widened_upwards_to_an_octave_and_a_half() -> None:
    found = speaker(120.0, 100.0, 150.0).comfortable
    assert found is not None
    assert (found.low_hz, found.median_hz) == (100.0, 120.0)
    assert found.high_hz == pytest.approx(100.0 * 2**1.5)


def test_a_singing_voice_that_is_wide_stays_as_it_is() -> None:
    found = speaker(220.0, 130.0, 520.0).comfortable
    assert found == PitchRange(130.0, 220.0, 520.0)


def test_the_wider_the_recording_the_less_is_added() -> None:
    added = []
    for octaves in (0.5, 1.0, 1.5):
        found = speaker(120.0, 100.0, 100.0 * 2**octaves).comfortable
        assert found is not None
        added.append(np.log2(found.high_hz / 100.0) - octaves)
    assert added == pytest.approx([1.0, 0.5, 0.0])


def test_a_voice_without_percentiles_starts_at_its_median() -> None:
    found = speaker(200.0).comfortable
    assert found is not None
    assert (found.low_hz, found.high_hz) == (200.0, pytest.approx(200.0 * 2**1.5))


def test_a_voice_without_pitch_has_no_range() -> None:
    assert speaker(0.0, 100.0, 200.0).comfortable is None


def test_ranges_are_told_in_notes() -> None:
    assert PitchRange(220.0, 330.0, 659.0).notes == "A3 to E5"
    assert PitchRange(220.004, 330.0, 659.0).to_json() == {
        "low_hz": 220.0, "median_hz": 330.0, "high_hz": 659.0,
        "low_note": "A3", "median_note": "E4", "high_note": "E5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("semitones", "backing"),
    [(0, 0), (12, 0), (-24, 0), (5, 5), (-5, -5), (6, 6), (-6, 6), (7, -5), (-14, -2), (23, -1)],
)
def test_octaves_leave_the_backing_where_it_is(semitones: int, backing: int) -> None:
    assert ShiftAdvice(semitones, 0.0).backing_semitones == backing


def test_a_fit_becomes_plain_values() -> None:
    fit = RangeFit(
        semitones=-12,
        song=PitchRange(110.0, 165.0, 330.0),
        voice=PitchRange(100.0, 130.0, 283.0),
        share_above=0.08123,
        share_below=0.01,
        spans=(RangeSpan(41.00001, 44.0, "above", 79, 17, 2.5),),
        auto=ShiftAdvice(-12, 0.09123),
        octave=ShiftAdvice(-12, 0.09123),
        key=ShiftAdvice(-14, 0.01),
    )
    found = json.loads(json.dumps(fit.to_json(), allow_nan=False))
    assert found["share_outside"] == 0.0912
    assert found["spans"] == [
        {
            "start_s": 41.0, "end_s": 44.0, "side": "above", "note": "G5", "note_hz": 783.99,
            "beyond_semitones": 17, "outside_s": 2.5,
        }
    ]  # fmt: skip
    assert found["suggestion"]["key"] == {
        "semitones": -14, "share_outside": 0.01, "backing_semitones": -2,
    }  # fmt: skip


def test_what_is_not_known_is_null() -> None:
    found = RangeFit(3, why_not="no pitch").to_json()
    assert (found["semitones"], found["why_not"], found["spans"]) == (3, "no pitch", [])
    keys = ("song", "voice", "share_outside", "share_above", "share_below")
    assert [found[key] for key in keys] == [None] * 5
