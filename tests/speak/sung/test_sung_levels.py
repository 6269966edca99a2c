from __future__ import annotations

import numpy as np

from autovoice.speak.sung.levels import TARGET_DB, evened

RATE = 24_000


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples.astype(np.float64)))))


def test_vowels_come_near_to_one_level() -> None:
    tone = np.sin(np.arange(2 * RATE) * 0.05).astype(np.float32)
    tone[:RATE] *= 0.3
    tone[RATE:] *= 0.03
    found = evened(tone, np.array([[0.0, 1.0], [1.0, 2.0]]), RATE)
    assert len(found) == len(tone)
    before = abs(level_db(tone[4800:19200]) - level_db(tone[28800:43200]))
    after = abs(level_db(found[4800:19200]) - level_db(found[28800:43200]))
    assert (round(before), after < 0.4 * before) == (20, True)
    assert abs(level_db(found[4800:19200]) - TARGET_DB) < 4


def test_a_long_note_that_dies_is_held() -> None:
    fading = np.sin(np.arange(10 * RATE) * 0.05) * np.linspace(0.3, 0.05, 10 * RATE)
    found = evened(fading.astype(np.float32), np.array([[0.0, 10.0]]), RATE)
    first, last = found[RATE : 2 * RATE], found[8 * RATE : 9 * RATE]
    assert (
        abs(level_db(first) - level_db(last))
        < 5
        < level_db(fading[:RATE]) - level_db(fading[-RATE:])
    )


def test_nothing_is_left_alone() -> None:
    assert evened(np.zeros(0, np.float32), np.zeros((0, 2)), RATE).size == 0
    noise = np.ones(RATE, np.float32)
    np.testing.assert_array_equal(evened(noise, np.zeros((0, 2)), RATE), noise)
    silent = evened(np.zeros(RATE, np.float32), np.array([[0.1, 0.9]]), RATE)
    assert not silent.any()
