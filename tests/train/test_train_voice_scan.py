"""Recordings are looked at before training: what is used, what is refused, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from voice_standins import ANNA, BERTA, RATE_HZ, encoders, sing

from autovoice import io
from autovoice.errors import InputError, VoiceError
from autovoice.train.voice.measure import band_hz, flat_tops
from autovoice.train.voice.scan import Scan, scan
from autovoice.train.voice.slices import Slice, cut, hold_out
from autovoice.train.voice.speakers import main_speaker
from autovoice.types import Audio, FloatArray


def audio(samples: FloatArray) -> Audio:
    return Audio(samples[None].astype(np.float32), RATE_HZ)


def look(*recordings: FloatArray, least_s: float = 0.0) -> Scan:
    return scan([audio(one) for one in recordings], encoders(), least_s=least_s)


def test_clean_singing_is_used_with_its_figures() -> None:
    found = look(sing(12.0))
    report = found.reports[0]
    assert (report.verdict, report.problems) == ("used", [])
    measured = report.measured
    assert measured is not None
    assert measured.seconds == pytest.approx(12.0)
    assert measured.active_s == pytest.approx(12.0 * 2.6 / 3.0, abs=0.8)
    assert measured.clipped == 0.0
    assert measured.snr_db is not None
    assert measured.snr_db > 40
    assert measured.f0_median_hz == pytest.approx(200.0, rel=0.05)
    assert 150 < measured.f0_low_hz < 200 < measured.f0_high_hz < 250
    assert report.used_s == pytest.approx(found.seconds)


def test_clipped_parts_are_left_out() -> None:
    samples = sing(12.0)
    samples[: 6 * RATE_HZ] = np.clip(4 * samples[: 6 * RATE_HZ], -0.4, 0.4)
    report = look(samples).reports[0]
    assert report.verdict == "partly used"
    assert report.problems == ["clipped"]
    assert "lower input level" in report.advice[0]
    assert report.used_s < 8.0


def test_a_recording_that_clips_throughout_is_refused() -> None:
    report = look(np.clip(8 * sing(12.0), -0.3, 0.3)).reports[0]
    assert (report.verdict, report.used_s) == ("refused", 0.0)
    assert report.problems == ["clipped"]


def test_a_loud_note_is_not_clipped() -> None:
    tone = np.sin(2 * np.pi * 441.7 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    assert flat_tops(tone).mean() < 0.001
    assert flat_tops(np.clip(1.5 * tone, -1, 1)).mean() > 0.3


def test_silence_and_noise_hold_nobody() -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(5 * RATE_HZ).astype(np.float32)
    found = look(np.zeros(5 * RATE_HZ, np.float32), noise, sing(12.0))
    assert [one.verdict for one in found.reports] == ["refused", "refused", "used"]
    assert found.reports[0].problems == ["silent"]


def test_much_noise_is_refused_and_some_is_told() -> None:
    found = look(sing(12.0, noise=0.06), sing(12.0, noise=0.02))
    assert [one.problems for one in found.reports] == [["noisy"], ["noisy"]]
    assert [one.verdict for one in found.reports] == ["refused", "used"]
    assert "quieter room" in found.reports[0].advice[0]


def test_a_second_person_in_a_recording_is_left_out() -> None:
    report = look(np.concatenate([sing(12.0), sing(6.0, BERTA, f0_hz=300.0)])).reports[0]
    assert report.verdict == "partly used"
    assert report.problems == ["several speakers"]
    assert 8.0 < report.used_s < 12.5


def test_a_recording_of_another_person_is_refused() -> None:
    found = look(sing(12.0), sing(6.0, BERTA), sing(9.0, ANNA, f0_hz=160.0))
    assert [one.verdict for one in found.reports] == ["used", "refused", "used"]
    assert found.reports[1].problems == ["another speaker"]


def test_a_short_recording_is_refused() -> None:
    found = look(sing(12.0), sing(0.7))
    assert found.reports[1].verdict == "refused"
    assert found.reports[1].problems == ["too short"]


def test_too_little_of_everything_says_what_was_wrong() -> None:
    with pytest.raises(
        VoiceError, match=r"at least 10 s .*, found [45]\.\d s.*recording 2: silent"
    ):
        look(sing(5.0), np.zeros(RATE_HZ, np.float32), least_s=10.0)


def test_what_is_no_audio_is_told_and_what_is_missing_stops(tmp_path: Path) -> None:
    broken = tmp_path / "words.wav"
    broken.write_text("no sound")
    good = io.write(audio(sing(12.0)), tmp_path / "good.wav")
    found = scan([broken, good], encoders())
    assert [one.verdict for one in found.reports] == ["refused", "used"]
    assert found.reports[0].problems == ["unreadable"]
    assert found.reports[0].advice[0]
    with pytest.raises(InputError, match="no such file"):
        scan([tmp_path / "none.wav", good], encoders())


def test_the_report_is_plain_values() -> None:
    import json

    rows = json.loads(json.dumps(look(sing(12.0)).as_json()))
    assert rows[0]["measured"]["snr_db"] > 40


def test_the_band_of_a_recording_is_found() -> None:
    noise = np.random.default_rng(1).standard_normal(48_000).astype(np.float32) * 0.1
    assert band_hz(noise, 24_000) == pytest.approx(11_400)
    assert band_hz(io.resample(noise[None], 16_000, 24_000)[0], 24_000) == pytest.approx(8e3, 0.04)
    assert band_hz(noise[:100], 44_100) == 12_000


def test_slices_are_2_to_8_s_and_cut_at_pauses() -> None:
    active = np.ones(80 * 20, np.bool_)
    active[500:520] = False  # a pause of 0.25 s at 6.25 s
    slices = cut(active, np.zeros(len(active), np.float32))
    assert all(2.0 <= one.seconds <= 8.0 for one in slices)
    assert slices[0].stop_s == pytest.approx(6.375, abs=0.1)
    assert sum(one.seconds for one in slices) == pytest.approx(20.0)


def test_of_several_pauses_that_nearest_to_5_s_is_cut() -> None:
    active = np.ones(80 * 12, np.bool_)
    for at_s in (2.5, 4.5, 7.0):
        active[round(80 * at_s) : round(80 * at_s) + 16] = False
    slices = cut(active, np.zeros(len(active), np.float32))
    assert slices[0].stop_s == pytest.approx(4.6, abs=0.05)


def test_without_pauses_the_quietest_place_is_cut() -> None:
    level = np.zeros(80 * 11, np.float32)
    level[460] = -20.0
    slices = cut(np.ones(len(level), np.bool_), level)
    assert [round(one.stop_s * 80) for one in slices] == [460, 880]


def test_long_silences_are_no_part_of_a_slice() -> None:
    active = np.zeros(80 * 20, np.bool_)
    active[80:400] = active[800:1200] = True
    slices = cut(active, np.zeros(len(active), np.float32), file=3)
    assert [(round(one.start_s, 1), round(one.stop_s, 1)) for one in slices] == [
        (0.9, 5.1),
        (9.9, 15.1),
    ]
    assert {one.file for one in slices} == {3}


@pytest.mark.parametrize(("count", "seconds", "least", "most"), [
    (20, 4.0, 10.0, 16.0), (8, 5.0, 5.0, 10.0), (3, 4.0, 4.0, 4.0), (2, 5.0, 5.0, 5.0),
])  # fmt: skip
def test_held_out_is_15_percent_and_5_s(
    count: int, seconds: float, least: float, most: float
) -> None:
    slices = [Slice(0, seconds * k, seconds * (k + 1)) for k in range(count)]
    kept, out = hold_out(slices)
    assert least <= sum(one.seconds for one in out) <= most
    assert sorted([*kept, *out], key=lambda one: one.start_s) == slices
    assert hold_out(slices) == (kept, out)
    assert count < 8 or any(hold_out(slices, seed) != (kept, out) for seed in range(1, 5))


def test_one_slice_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="expected two and more"):
        hold_out([Slice(0, 0.0, 8.0)])


def _people(angle: float, counts: tuple[int, int]) -> FloatArray:
    chance = np.random.default_rng(0)
    centres = np.zeros((2, 256), np.float32)
    centres[0, 0], centres[1, 0], centres[1, 1] = 1.0, np.cos(angle), np.sin(angle)
    vectors = np.repeat(centres, counts, axis=0)
    vectors += 0.02 * chance.standard_normal(vectors.shape).astype(np.float32)
    unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_groups_that_are_near_are_one_person() -> None:
    seconds = np.full(10, 4.0, np.float32)
    assert main_speaker(_people(np.arccos(0.8), (6, 4)), seconds).all()
    far = main_speaker(_people(np.arccos(0.4), (6, 4)), seconds)
    assert far.tolist() == [True] * 6 + [False] * 4


def test_the_voice_heard_longest_is_the_one() -> None:
    seconds = np.array([2.0] * 6 + [8.0] * 4, np.float32)
    kept = main_speaker(_people(np.arccos(0.4), (6, 4)), seconds)
    assert kept.tolist() == [False] * 6 + [True] * 4


def test_a_single_odd_slice_is_no_second_person() -> None:
    seconds = np.array([4.0] * 6 + [1.5], np.float32)
    assert main_speaker(_people(np.arccos(0.4), (6, 1)), seconds).all()
