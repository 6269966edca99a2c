"""Pitch scores with known answers: curves and sweeps moved by known cents, delays and octaves."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from autovoice.errors import AutoVoiceError
from autovoice.eval import dio, harvest, world
from autovoice.eval.pitch import (
    Tracker,
    compare_f0,
    melody,
    pitch_score,
    shifted,
    why_no_score,
)
from autovoice.types import Audio, FloatArray

RATE = 16_000
Curve = NDArray[np.float64]


def _melody(frames: int = 400) -> Curve:
    """Glide from 150 to 300 Hz with vibrato; a rest in the middle."""
    place = np.arange(frames) / frames
    f0_hz = 150 * 2 ** (place + 0.03 * np.sin(2 * np.pi * 20 * place))
    f0_hz[150:200] = 0
    return f0_hz


def _sung(f0_hz: FloatArray | Curve) -> FloatArray:
    """Sum eight harmonics of an F0 given per sample; silence where it is 0."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    sound = sum(np.sin(phase * k) / k for k in range(1, 9)) * (f0_hz > 0)
    return (0.1 * sound).astype(np.float32)


def _sweep(seconds: float = 3.0) -> Curve:
    time_s = np.arange(int(seconds * RATE)) / RATE
    f0_hz = 180 * 2 ** (0.5 * np.sin(2 * np.pi * 0.4 * time_s))
    f0_hz[int(1.2 * RATE) : int(1.5 * RATE)] = 0
    return f0_hz


def test_equal_curves_are_perfect() -> None:
    score = compare_f0(_melody(), _melody())
    assert score is not None
    assert (score.rmse_hz, score.median_cents, score.voicing_error) == (0.0, 0.0, 0.0)
    assert (score.within_50_cents, score.beyond_200_cents, score.delay_s) == (1.0, 0.0, 0.0)
    assert score.log_f0_correlation == pytest.approx(1.0)
    assert score.frames == 350


@pytest.mark.parametrize(("cents", "within", "beyond"), [(30, 1, 0), (-120, 0, 0), (700, 0, 1)])
def test_a_constant_error_is_read_in_cents(cents: float, within: float, beyond: float) -> None:
    source = _melody()
    score = compare_f0(source * 2 ** (cents / 1200), source)
    assert score is not None
    # In a glide a delay could hide it, and must not.
    assert score.delay_s == 0.0
    assert score.median_cents == pytest.approx(abs(cents))
    assert (score.within_50_cents, score.beyond_200_cents) == (within, beyond)


def test_the_source_is_moved_by_the_shift() -> None:
    score = compare_f0(_melody() / 2, _melody(), semitones=-12)
    assert score is not None
    assert score.median_cents == pytest.approx(0, abs=1e-6)
    unmoved = compare_f0(_melody() / 2, _melody())
    assert unmoved is not None
    assert unmoved.beyond_200_cents == 1.0


def test_rmse_is_in_hertz() -> None:
    source = np.full(100, 200.0)
    score = compare_f0(source + np.where(np.arange(100) % 2, 4.0, -4.0), source)
    assert score is not None
    assert score.rmse_hz == pytest.approx(4.0)
    assert score.log_f0_correlation is None


def test_voicing_error_counts_frames_voiced_in_one_alone() -> None:
    source, output = np.full(200, 220.0), np.full(200, 220.0)
    output[40:60] = 0
    output[100:110] = 0
    score = compare_f0(output, source)
    assert score is not None
    assert score.voicing_error == pytest.approx(30 / 200)


@pytest.mark.parametrize("delay_s", [-0.1, -0.03, 0.004, 0.05, 0.1])
def test_a_constant_delay_is_found_and_taken_out(delay_s: float) -> None:
    source = _melody()
    score = compare_f0(shifted(source, delay_s), source)
    assert score is not None
    assert score.delay_s == pytest.approx(delay_s, abs=1e-9)
    assert score.median_cents < 0.01


def test_nothing_voiced_gives_no_score() -> None:
    assert compare_f0(np.zeros(100), _melody(100)) is None
    assert compare_f0(np.zeros(0), np.zeros(0)) is None
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    assert pitch_score(silence, silence) is None


@pytest.mark.parametrize("tracker", [harvest, dio])
def test_trackers_find_a_sweep(tracker: Tracker) -> None:
    f0_hz = np.concatenate([_sweep(), _sweep(), _sweep(1.0)])
    (found,) = tracker([(_sung(f0_hz), RATE)])
    assert len(found) == len(f0_hz) // 160 + 1
    wanted = f0_hz[::160]
    both = (found[: len(wanted)] > 0) & (wanted > 0)
    assert both.mean() > 0.75
    cents = np.abs(1200 * np.log2(found[: len(wanted)][both] / wanted[both]))
    assert np.median(cents) < 3
    assert np.mean(cents > 50) < 0.02


@pytest.mark.parametrize("tracker", [harvest, dio])
@pytest.mark.parametrize("length", [0, 1, 159, 1599, 1600, 1700])
def test_tiny_sounds_have_their_frames(tracker: Tracker, length: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, length).astype(np.float32)
    (found,) = tracker([(noise, RATE)])
    assert len(found) == length // 160 + 1


@pytest.mark.parametrize("tracker", [harvest, dio])
def test_audio_shifted_and_delayed_is_read_so(tracker: Tracker) -> None:
    f0_hz = _sweep()
    source = Audio(_sung(f0_hz)[None], RATE)
    moved = _sung(f0_hz * 2 ** ((3 + 0.2) / 12))
    late = np.concatenate([np.zeros(640, np.float32), moved])[: len(moved)]
    score = pitch_score(Audio(late[None], RATE), source, semitones=3, tracker=tracker)
    assert score is not None
    assert score.delay_s == pytest.approx(0.04, abs=0.008)
    assert score.median_cents == pytest.approx(20, abs=4)
    assert score.voicing_error < 0.05
    assert score.log_f0_correlation is not None
    assert score.log_f0_correlation > 0.99


def _from_table(*curves: Curve) -> Tracker:
    """Return a tracker that gives these curves, whatever it hears."""
    return lambda recordings: [curve.copy() for curve, _ in zip(curves, recordings, strict=True)]


def test_score_and_curves_come_from_one_tracking() -> None:
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    source = _melody()
    output = shifted(source * 2.0, 0.04)[:390]
    score, curves = melody(silence, silence, 12.0, tracker=_from_table(output, source))
    assert score == compare_f0(output, source, 12.0)
    assert score is not None
    assert score.delay_s == pytest.approx(0.04)
    assert len(curves.source_hz) == len(curves.wanted_hz) == len(curves.output_hz) == 400
    np.testing.assert_array_equal(curves.source_hz, source)
    np.testing.assert_allclose(curves.wanted_hz[:390], curves.output_hz[:390], rtol=1e-9)
    assert not curves.output_hz[390:].any()
    _, longer = melody(silence, silence, tracker=_from_table(_melody(500), source))
    assert len(longer.output_hz) == 400


def test_curves_without_a_score_tell_why() -> None:
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    score, curves = melody(silence, silence, 2.0)
    assert score is None
    assert why_no_score(curves).startswith("found 0 voiced frames in the output, 0 in the source")
    source, output = np.zeros(100), np.zeros(100)
    source[:40], output[35:80] = 200.0, 200.0
    far_apart = np.roll(output, 20)
    score, curves = melody(silence, silence, 12.0, tracker=_from_table(far_apart, source))
    assert score is None
    np.testing.assert_array_equal(curves.wanted_hz, 2.0 * source)
    assert "45 voiced frames in the output, 40 in the source and 0 at the same time" in (
        why_no_score(curves)
    )


@pytest.mark.parametrize("length", [0, 1, 500])
def test_silent_empty_and_unvoiced_outputs_have_no_score(length: int) -> None:
    source = Audio(_sung(_sweep(1.0))[None], RATE)
    silence = Audio(np.zeros((1, length), np.float32), RATE)
    assert melody(silence, source, tracker=dio)[0] is None
    assert melody(source, silence, tracker=dio)[0] is None
    assert melody(silence, silence, tracker=dio)[0] is None
    noise = np.random.default_rng(0).normal(0, 0.1, (1, RATE // 20)).astype(np.float32)
    assert melody(Audio(noise, RATE), source, tracker=dio)[0] is None


def test_a_missing_tracker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(AutoVoiceError, match="pip install pyworld"):
        world._world.__wrapped__()


def test_threads_that_come_first_together_load_it_once() -> None:
    """Two first calls at a time used to load the extension twice, which it refuses."""
    code = (
        "import threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from autovoice.eval.world import world\n"
        "gate = threading.Barrier(8)\n"
        "def first():\n"
        "    gate.wait()\n"
        "    return world()\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    jobs = [pool.submit(first) for _ in range(8)]\n"
        "    assert len({id(job.result()) for job in jobs}) == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
