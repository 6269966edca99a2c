from __future__ import annotations

import numpy as np
import pytest

from autovoice.speak.joins import joinable

RATE = 24_000


def tone(seconds: float, before_s: float = 0.3, after_s: float = 0.4) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    silence = [np.zeros(round(s * RATE)) for s in (before_s, after_s)]
    return np.concatenate([silence[0], np.cos(2 * np.pi * 200 * at), silence[1]]).astype(np.float32)


def test_silent_ends_go_and_the_pause_comes() -> None:
    found = joinable(tone(1.0), RATE, 0.5)
    assert len(found) / RATE == pytest.approx(0.03 + 1.0 + 0.5, abs=0.02)
    assert not found[-round(0.4 * RATE) :].any()
    assert found.dtype == np.float32


def test_without_a_pause_little_silence_stays() -> None:
    assert len(joinable(tone(1.0), RATE, 0.0)) / RATE == pytest.approx(1.09, abs=0.02)


def test_joins_make_no_click() -> None:
    # A tone that is cut off at its ends is the worst case: nothing but the fade softens it.
    piece = joinable(tone(0.5, 0.0, 0.0), RATE, 0.0)
    joined = np.concatenate([piece, piece])
    usual = np.abs(np.diff(piece[2000:-2000])).max()
    around = slice(len(piece) - 500, len(piece) + 500)
    assert np.abs(np.diff(joined[around])).max() <= usual * 1.01
    assert abs(piece[0]) < 1e-6
    assert abs(piece[-1]) < 1e-6


def test_what_was_said_is_left_alone() -> None:
    sound = tone(1.0)
    found = joinable(sound, RATE, 0.2)
    middle = sound[round(0.5 * RATE) : round(1.0 * RATE)]
    start = round(0.5 * RATE) - (round(0.3 * RATE) - round(0.03 * RATE))
    np.testing.assert_array_equal(found[start : start + len(middle)], middle)


@pytest.mark.parametrize("length", [0, 1, 100, RATE])
def test_silence_leaves_nothing(length: int) -> None:
    assert len(joinable(np.zeros(length, np.float32), RATE, 1.0)) == 0


def test_a_sound_of_a_few_samples() -> None:
    found = joinable(np.ones(130, np.float32), RATE, 0.1)
    assert np.isfinite(found).all()
    assert len(found) >= round(0.1 * RATE)
