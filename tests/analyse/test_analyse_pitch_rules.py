from __future__ import annotations

import numpy as np
import pytest

from autovoice.analyse.pitch import VoicingRules, resample_pitch
from autovoice.analyse.pitch.octave import follow_evidence, repair_octaves
from autovoice.analyse.pitch.voicing import decide_voicing, frame_level_db, runs
from autovoice.types import FloatArray, Pitch

HOP_S = 0.016
RULES = VoicingRules(start=0.5, hold=0.3, min_run_s=0.045, max_gap_s=0.035)


def _decide(confidence: list[float], level_db: float = -20.0) -> list[bool]:
    values = np.array(confidence, dtype=np.float32)
    level = np.full(values.size, level_db, dtype=np.float32)
    return decide_voicing(values, level, HOP_S, RULES).tolist()


def _string(confidence: list[float]) -> str:
    return "".join("#" if voiced else "." for voiced in _decide(confidence))


def test_hysteresis_needs_a_sure_start_and_holds_on() -> None:
    assert _string([0.1, 0.4, 0.4, 0.9, 0.4, 0.4, 0.1]) == ".#####."
    assert _string([0.1, 0.4, 0.4, 0.4, 0.4, 0.4, 0.1]) == "......."


def test_gaps_of_two_frames_are_filled_and_of_three_are_not() -> None:
    assert _string([0.9] * 4 + [0.0] * 2 + [0.9] * 4) == "#" * 10
    assert _string([0.9] * 4 + [0.0] * 3 + [0.9] * 4) == "####...####"


def test_runs_of_two_frames_are_dropped_and_of_three_are_not() -> None:
    assert _string([0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.9, 0.9, 0.9, 0.0]) == "......###."


def test_silence_is_unvoiced_whatever_the_confidence() -> None:
    assert not any(_decide([1.0] * 10, level_db=-80.0))
    confidence = np.ones(20, dtype=np.float32)
    level = np.array([-20.0] * 10 + [-75.0] * 10, dtype=np.float32)
    voiced = decide_voicing(confidence, level, HOP_S, RULES)
    assert voiced.tolist() == [True] * 10 + [False] * 10


def test_nothing_in_nothing_out() -> None:
    assert _decide([]) == []


def test_runs_gives_first_and_end() -> None:
    mask = np.array([True, False, True, True, False])
    assert list(runs(mask)) == [(0, 1), (2, 4)]


def test_level_of_a_sine_is_three_db_under_its_peak() -> None:
    samples = np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000).astype(np.float32)
    level = frame_level_db(samples, 62, 256)
    np.testing.assert_allclose(level[2:60], -3.01, atol=0.2)
    assert frame_level_db(np.zeros(0, dtype=np.float32), 1, 256).tolist() == [-120.0]


def _line(*parts: tuple[float, int]) -> FloatArray:
    return np.concatenate([np.full(count, f0, dtype=np.float32) for f0, count in parts])


def _repaired(f0_hz: FloatArray) -> FloatArray:
    return repair_octaves(f0_hz, f0_hz > 0, HOP_S)


@pytest.mark.parametrize("factor", [0.5, 2.0, 1.95])
def test_a_short_octave_jump_is_put_back(factor: float) -> None:
    f0_hz = _line((220.0, 20), (220.0 * factor, 4), (220.0, 20))
    octaves = np.log2(_repaired(f0_hz) / 220.0)
    assert np.abs(octaves).max() < 0.05


def test_a_wrong_onset_is_put_right() -> None:
    np.testing.assert_allclose(_repaired(_line((440.0, 3), (220.0, 30))), 220.0)


@pytest.mark.parametrize("spike_hz", [60.0, 2089.0])
def test_a_spike_of_any_size_is_removed(spike_hz: float) -> None:
    for f0_hz in (_line((220.0, 9), (spike_hz, 1)), _line((220.0, 9), (spike_hz, 2), (220.0, 9))):
        np.testing.assert_allclose(_repaired(f0_hz), 220.0)


def test_an_octave_that_holds_is_the_singers() -> None:
    for held in (_line((220.0, 20), (440.0, 12), (220.0, 20)), _line((220.0, 20), (440.0, 20))):
        np.testing.assert_array_equal(_repaired(held), held)


def test_short_jumps_of_a_fifth_and_glides_are_left_alone() -> None:
    fifth = _line((220.0, 20), (330.0, 4), (220.0, 20))
    np.testing.assert_array_equal(_repaired(fifth), fifth)
    glide = (110.0 * 2.0 ** (np.arange(40) / 10)).astype(np.float32)
    np.testing.assert_array_equal(_repaired(glide), glide)


def test_nothing_is_repaired_across_a_gap() -> None:
    f0_hz = _line((220.0, 20), (0.0, 5), (440.0, 4), (0.0, 5), (220.0, 20))
    np.testing.assert_array_equal(_repaired(f0_hz), f0_hz)


def test_evidence_counts_only_where_most_frames_agree() -> None:
    f0_hz = _line((440.0, 20), (0.0, 3), (300.0, 6))
    evidence = np.zeros(29, dtype=np.float32)
    evidence[2] = evidence[25] = 1.0
    evidence[8:14] = -1.0
    shifted = follow_evidence(f0_hz, evidence, f0_hz > 0)
    expected = _line((440.0, 8), (220.0, 6), (440.0, 6), (0.0, 3), (300.0, 6))
    np.testing.assert_allclose(shifted, expected)


def _curve(f0_hz: FloatArray, hop_s: float = HOP_S, offset_s: float = 0.0) -> Pitch:
    return Pitch(f0_hz, (f0_hz > 0).astype(np.float32), hop_s, offset_s)


def test_resampling_to_its_own_grid_changes_nothing() -> None:
    f0_hz = _line((0.0, 3), (200.0, 5), (0.0, 2), (300.0, 1), (0.0, 2))
    same = resample_pitch(_curve(f0_hz, 0.01, 0.004), 0.01, 0.004, f0_hz.size)
    np.testing.assert_allclose(same.f0_hz, f0_hz, rtol=1e-6)
    np.testing.assert_allclose(same.confidence, f0_hz > 0)


def test_vibrato_survives_the_decoders_grid_within_a_cent() -> None:
    def f0_at(time_s: FloatArray) -> FloatArray:
        return 440.0 * 2.0 ** (np.sin(2 * np.pi * 6 * time_s) / 12)

    source = f0_at(np.arange(126) * HOP_S).astype(np.float32)
    moved = resample_pitch(_curve(source), 1 / 80, 0.5 / 80, 160)
    cents = 1200 * np.log2(moved.f0_hz / f0_at((np.arange(160) + 0.5) / 80))
    assert np.abs(cents[2:-2]).max() < 1.0


def test_a_gap_stays_a_gap_and_edges_do_not_bleed() -> None:
    f0_hz = _line((100.0, 10), (0.0, 5), (400.0, 10))
    moved = resample_pitch(_curve(f0_hz), HOP_S / 4, 0.0, 100)
    voiced = moved.f0_hz > 0
    np.testing.assert_allclose(moved.f0_hz[voiced & (np.arange(100) < 50)], 100.0, rtol=1e-5)
    np.testing.assert_allclose(moved.f0_hz[voiced & (np.arange(100) >= 50)], 400.0, rtol=1e-5)
    assert np.count_nonzero(~voiced) == pytest.approx(4 * 5 + 2, abs=2)


def test_frames_beyond_the_ends_are_unvoiced() -> None:
    moved = resample_pitch(_curve(_line((200.0, 5))), HOP_S, -3 * HOP_S, 12)
    assert (moved.f0_hz > 0).tolist() == [False] * 3 + [True] * 5 + [False] * 4
    empty = resample_pitch(_curve(np.zeros(0, dtype=np.float32)), HOP_S, 0.0, 4)
    assert empty.f0_hz.tolist() == [0.0] * 4
    assert resample_pitch(_curve(_line((200.0, 5))), HOP_S, 0.0, 0).f0_hz.size == 0
