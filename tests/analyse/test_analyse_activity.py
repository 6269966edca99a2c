from __future__ import annotations

import numpy as np
import pytest

from autovoice.analyse.activity import activity
from autovoice.errors import InputError
from autovoice.types import FloatArray, Pitch

RATE = 16_000


def _pitch(seconds: float, voiced: list[tuple[float, float]]) -> Pitch:
    time_s = np.arange(int(seconds / 0.008) + 1) * 0.008
    f0_hz = np.zeros(time_s.size, dtype=np.float32)
    for start, end in voiced:
        f0_hz[(time_s >= start) & (time_s < end)] = 220.0
    return Pitch(f0_hz, (f0_hz > 0).astype(np.float32), 0.008)


def _scene(
    seconds: float, sung: list[tuple[float, float, float]], noise: float = 1e-5
) -> FloatArray:
    time_s = np.arange(int(seconds * RATE)) / RATE
    samples = noise * np.random.default_rng(1).standard_normal(time_s.size)
    for start, end, amplitude in sung:
        inside = (time_s >= start) & (time_s < end)
        samples += inside * amplitude * np.sin(2 * np.pi * 220.0 * time_s)
    return samples.astype(np.float32)


def _burst(samples: FloatArray, start: float, end: float, amplitude: float) -> FloatArray:
    inside = slice(int(start * RATE), int(end * RATE))
    noise = np.random.default_rng(2).standard_normal(samples[inside].size)
    samples[inside] += (amplitude * noise).astype(np.float32)
    return samples


def _at(values: FloatArray, start: float, end: float) -> FloatArray:
    return values[round(start * 80) : round(end * 80)]


def test_singing_is_heard_and_silence_is_not() -> None:
    curve = activity(_scene(3.0, [(1.0, 2.0, 0.3)]), RATE, _pitch(3.0, [(1.0, 2.0)]))
    assert curve.values.shape == (240,)
    assert curve.hop_s == 1 / 80
    assert _at(curve.values, 1.0, 2.0).min() == 1.0
    assert _at(curve.values, 0.0, 0.9).max() == 0.0
    assert _at(curve.values, 2.2, 3.0).max() == 0.0


def test_it_opens_fast_and_closes_slowly() -> None:
    curve = activity(_scene(3.0, [(1.0, 2.0, 0.3)]), RATE, _pitch(3.0, [(1.0, 2.0)]))
    before = np.count_nonzero(_at(curve.values, 0.5, 1.0))
    after = np.count_nonzero(_at(curve.values, 2.0, 2.5))
    assert 1 <= before <= 3
    assert 6 <= after <= 9
    assert np.abs(np.diff(curve.values)).max() < 0.8


def test_breath_before_and_sibilant_after_are_kept() -> None:
    samples = _scene(3.0, [(1.0, 2.0, 0.3)])
    _burst(samples, 0.75, 0.98, 0.005)
    _burst(samples, 2.02, 2.2, 0.02)
    curve = activity(samples, RATE, _pitch(3.0, [(1.0, 2.0)]))
    assert _at(curve.values, 0.78, 0.97).min() == 1.0
    assert _at(curve.values, 2.04, 2.18).min() == 1.0


def test_noise_far_from_any_singing_is_muted() -> None:
    samples = _burst(_scene(4.0, [(0.5, 1.0, 0.3)]), 2.5, 3.0, 0.02)
    curve = activity(samples, RATE, _pitch(4.0, [(0.5, 1.0)]))
    assert _at(curve.values, 2.0, 4.0).max() == 0.0


def test_faint_pitched_bleed_is_muted() -> None:
    sung = [(0.5, 1.5, 0.3), (3.0, 4.0, 0.003)]
    curve = activity(_scene(4.5, sung), RATE, _pitch(4.5, [(0.5, 1.5), (3.0, 4.0)]))
    assert _at(curve.values, 0.5, 1.5).min() == 1.0
    assert _at(curve.values, 2.5, 4.5).max() == 0.0


def test_a_quiet_phrase_is_kept() -> None:
    sung = [(0.5, 1.5, 0.3), (3.0, 4.0, 0.03)]
    curve = activity(_scene(4.5, sung), RATE, _pitch(4.5, [(0.5, 1.5), (3.0, 4.0)]))
    assert _at(curve.values, 3.0, 4.0).min() == 1.0


def test_level_does_not_matter() -> None:
    samples = _scene(2.0, [(0.5, 1.5, 0.3)])
    pitch = _pitch(2.0, [(0.5, 1.5)])
    loud, quiet = activity(samples, RATE, pitch), activity(samples / 10, RATE, pitch)
    # the absolute gate may move the very end by a frame
    assert np.abs(quiet.values - loud.values).mean() < 0.02


def test_steady_noise_does_not_open_the_gate() -> None:
    samples = _scene(4.0, [(1.0, 2.0, 0.3)], noise=0.01)
    curve = activity(samples, RATE, _pitch(4.0, [(1.0, 2.0)]))
    assert _at(curve.values, 1.0, 2.0).min() == 1.0
    assert _at(curve.values, 2.3, 4.0).max() == 0.0
    assert _at(curve.values, 0.0, 0.8).max() == 0.0


@pytest.mark.parametrize(("length", "rate"), [(0, 16_000), (1, 8_000), (199, 16_000), (50, 100)])
def test_any_length_gives_finite_numbers(length: int, rate: int) -> None:
    empty = Pitch(np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32), 0.008)
    curve = activity(np.full(length, 0.1, dtype=np.float32), rate, empty)
    assert curve.values.size == -(-length * 80 // rate)
    assert curve.values.max(initial=0.0) == 0.0


def test_stereo_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="mono"):
        activity(np.zeros((2, 10), dtype=np.float32), RATE, _pitch(1.0, []))
