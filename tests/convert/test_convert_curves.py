"""Pitch and energy at the decoder's frames: places, gaps, shifts."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.convert.curves import SILENCE, energy_curve, pitch_curve
from autovoice.types import Curve, Pitch


def _pitch(f0_hz: list[float], hop_s: float = 0.0125, offset_s: float = 0.00625) -> Pitch:
    values = np.array(f0_hz, np.float32)
    return Pitch(values, (values > 0).astype(np.float32), hop_s, offset_s)


def _exponential(count: int, hop_s: float, offset_s: float) -> Pitch:
    """Rise an octave per second from 100 Hz."""
    at_s = offset_s + hop_s * np.arange(count)
    return _pitch(list(100 * 2**at_s), hop_s, offset_s)


@pytest.mark.parametrize(("hop_s", "offset_s"), [(0.016, 0.0), (0.01, 0.005), (0.0125, -0.02)])
def test_a_glide_is_read_where_it_is(hop_s: float, offset_s: float) -> None:
    pitch = _exponential(200, hop_s, offset_s)
    read = pitch_curve(pitch, 80)
    expected = 100 * 2 ** ((np.arange(80) + 0.5) / 80)
    assert read.dtype == np.float32
    # Within half a cent: straight lines in log frequency are read without any error.
    np.testing.assert_allclose(1200 * np.log2(read / expected), 0, atol=0.5)


def test_on_the_decoders_own_grid_nothing_changes() -> None:
    values = [110.0, 0.0, 220.0, 230.0, 0.0, 0.0, 97.0]
    np.testing.assert_allclose(pitch_curve(_pitch(values), 7), values, rtol=1e-5)


def test_gaps_are_never_bridged() -> None:
    # Frames at 0, 20, 40 ... ms; the middle one is unvoiced.
    read = pitch_curve(_pitch([200, 200, 0, 300, 300], 0.02, 0.0), 8)
    # Read at 6.25, 18.75, 31.25, 43.75, 56.25, 68.75, 81.25, 93.75 ms.
    np.testing.assert_allclose(read, [200, 200, 0, 0, 300, 300, 300, 300], rtol=1e-5)
    assert set(read[read > 0].round().astype(int)) == {200, 300}


def test_outside_of_the_curve_there_is_no_pitch() -> None:
    read = pitch_curve(_pitch([200.0] * 4, 0.0125, 0.1), 24)
    voiced = np.flatnonzero(read)
    # Frames at 100 to 137.5 ms, each of which reaches one hop further.
    assert voiced.min() == 7
    assert voiced.max() == 11
    assert not pitch_curve(_pitch([]), 5).any()
    np.testing.assert_allclose(pitch_curve(_pitch([150.0]), 2)[0], 150.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("semitones", "ratio"), [(12, 2.0), (-24, 0.25), (7, 1.4983), (0.5, 1.0293)]
)
def test_semitones_multiply(semitones: float, ratio: float) -> None:
    read = pitch_curve(_pitch([200.0, 0.0, 300.0]), 3, semitones)
    np.testing.assert_allclose(read, [200 * ratio, 0, 300 * ratio], rtol=1e-4)


def test_energy_is_read_at_its_own_places() -> None:
    ramp = Curve(np.arange(100, dtype=np.float32) * 0.1, hop_s=0.01, offset_s=0.005)
    read = energy_curve(ramp, 40)
    at_s = np.arange(40) / 80
    np.testing.assert_allclose(read, np.maximum((at_s - 0.005) / 0.01, 0) * 0.1, atol=1e-5)
    assert read.dtype == np.float32


def test_energy_holds_at_the_ends_and_never_falls_under_silence() -> None:
    read = energy_curve(Curve(np.array([-2.0, -30.0], np.float32), 0.0125), 6)
    np.testing.assert_allclose(read, [-2.0] + [SILENCE] * 5)
    assert energy_curve(Curve(np.zeros(0, np.float32), 0.0125), 3).tolist() == [SILENCE] * 3
