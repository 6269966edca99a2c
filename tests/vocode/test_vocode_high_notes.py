from __future__ import annotations

import numpy as np
import pytest
import torch

from autovoice.vocode.high_notes import (
    LEAST_HZ,
    MOST_HZ,
    Reach,
    octaves_down,
    surely_hz,
)
from autovoice.vocode.raising import raised_rows

RATE_HZ = 24_000


def voice(f0_hz: np.ndarray) -> np.ndarray:
    """Return a sound with all harmonics up to 10 kHz, ``[F]`` at 80/s -> ``[300 F]``."""
    hz = np.repeat(f0_hz.astype(np.float64), 300)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    parts = [np.sin(k * phase) / k * (k * hz < 10_000) for k in range(1, 100)]
    return (0.2 * np.sum(parts, axis=0) * (hz > 0)).astype(np.float32)


def lines(sound: np.ndarray, hz: list[float]) -> list[float]:
    """Return the levels at frequencies in the middle of a sound, dB."""
    cut = sound[len(sound) // 4 : 3 * len(sound) // 4].astype(np.float64)
    window = np.hanning(len(cut))
    time_s = np.arange(len(cut)) / RATE_HZ
    return [
        float(20 * np.log10(abs((cut * window * np.exp(-2j * np.pi * f * time_s)).sum()) + 1e-9))
        for f in hz
    ]


def test_voices_that_speak_low_are_held_lower() -> None:
    assert surely_hz(0.0) == LEAST_HZ
    assert surely_hz(120.0) == pytest.approx(288.0)
    assert LEAST_HZ < surely_hz(120.0) < surely_hz(130.0) < MOST_HZ
    assert surely_hz(60.0) == LEAST_HZ
    assert surely_hz(300.0) == MOST_HZ


def test_frames_are_lowered_until_they_are_within_reach_and_stay_so() -> None:
    f0_hz = np.array([0, 300, 401, 0, 380, 355, 401, 801, 1_650, 300, 0], np.float32)
    octaves = octaves_down(f0_hz, 400.0)
    assert octaves.tolist() == [0, 0, 1, 1, 1, 0, 1, 2, 3, 0, 0]
    assert (f0_hz / 2.0**octaves).max() <= 412.5
    assert octaves_down(np.zeros(0, np.float32), 400.0).shape == (0,)


@pytest.mark.parametrize(("hz", "octaves"), [(523.3, 1), (1_046.5, 2)])
def test_a_lowered_note_comes_out_where_it_belongs(hz: float, octaves: int) -> None:
    wanted = np.full(80, hz, np.float32)
    down = np.full(80, octaves)
    low = voice(wanted / 2.0**octaves)
    high = Reach(wanted, down).raised(low, RATE_HZ)
    even, odd = [hz, 2 * hz, 3 * hz], [0.5 * hz, 1.5 * hz, 2.5 * hz]
    gained = np.subtract(lines(high, even), lines(low, even))
    lost = np.subtract(lines(low, odd), lines(high, odd))
    assert (lost > 35).all(), lost
    # All by the same: what keeps the level.
    assert (gained > 0).all()
    assert np.ptp(gained) < 1.0, gained
    level = np.sqrt(np.mean(high[6_000:18_000] ** 2) / np.mean(low[6_000:18_000] ** 2))
    assert level == pytest.approx(1.0, abs=0.1)


def test_what_was_not_lowered_stays_to_the_bit() -> None:
    f0_hz = np.concatenate([np.full(80, 220.0), np.zeros(20), np.full(80, 660.0)])
    f0_hz = f0_hz.astype(np.float32)
    octaves = octaves_down(f0_hz, 400.0)
    decoded = voice(f0_hz / 2.0**octaves)
    made = Reach(f0_hz, octaves).raised(decoded, RATE_HZ)
    assert made.shape == decoded.shape
    np.testing.assert_array_equal(made[: 300 * 80], decoded[: 300 * 80])
    assert min(lines(made[300 * 100 :], [660.0])) - max(lines(made[300 * 100 :], [330.0])) > 40
    assert Reach(f0_hz, np.zeros(180, np.int64)).raised(decoded, RATE_HZ) is decoded


def test_a_glide_across_the_limit_keeps_its_pitch() -> None:
    f0_hz = np.geomspace(300, 700, 160).astype(np.float32)
    octaves = octaves_down(f0_hz, 400.0)
    made = Reach(f0_hz, octaves).raised(voice(f0_hz / 2.0**octaves), RATE_HZ)
    for frame in range(10, 150, 10):
        cut = made[300 * frame - 1_200 : 300 * frame + 1_200] * np.hanning(2_400)
        spectrum = np.abs(np.fft.rfft(cut, 24_000))
        hz = float(f0_hz[frame])
        low, high = (spectrum[round(r * hz) - 15 : round(r * hz) + 15].max() for r in (0.5, 1.0))
        assert high > 3 * low, hz


def test_rows_of_a_batch_are_raised_as_if_alone() -> None:
    tunes = [np.full(60, hz, np.float32) for hz in (0.0, 220.0, 523.3, 1_046.5)]
    tunes.append(np.geomspace(300, 1_200, 60).astype(np.float32))
    tunes[4][20:25] = 0
    reaches = [Reach(tune, octaves_down(tune, 320.0)) for tune in tunes]
    sounds = [voice(reach.low_hz) for reach in reaches]
    columns = [[getattr(reach, name) for reach in reaches] for name in ("log_hz", "lowered")]
    rows = [torch.from_numpy(np.stack(column)) for column in (sounds, *columns)]
    turns = max(reach.turns for reach in reaches)
    made = raised_rows(*rows, turns=turns, sample_rate_hz=RATE_HZ).numpy()
    assert [reach.turns for reach in reaches] == [0, 0, 1, 2, 2]
    for reach, sound, row in zip(reaches, sounds, made, strict=True):
        alone = reach.raised(sound, RATE_HZ)
        # One sum over all rows may round otherwise; two octaves double the difference.
        assert np.abs(row - alone).max() <= 1e-6 * np.abs(sound).max()
    np.testing.assert_array_equal(made[:2], np.stack(sounds[:2]))
