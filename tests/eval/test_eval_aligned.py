"""Two recordings laid side by side, and the level of every frame."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice.eval import harvest
from autovoice.eval.aligned import aligned_mono, check_lengths, common_rate_hz
from autovoice.eval.figure import NotApplicable
from autovoice.eval.frames import FLOOR_DB, levels_db, loud_db
from autovoice.types import Audio


def _tone(rate_hz: int, seconds: float = 1.0, channels: int = 1, gain: float = 0.5) -> Audio:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = gain * np.sin(2 * np.pi * 440 * time_s)
    return Audio(np.tile(wave, (channels, 1)).astype(np.float32), rate_hz)


def test_rates_channels_and_some_samples_may_differ() -> None:
    ours, theirs = aligned_mono(_tone(44_100, 1.01, 2), _tone(48_000), 16_000)
    assert ours.shape == theirs.shape == (16_000,)
    np.testing.assert_allclose(ours[500:-500], theirs[500:-500], atol=1e-4)


def test_lengths_half_a_second_apart_are_the_limit() -> None:
    check_lengths(_tone(8000, 1.5), _tone(8000, 1.0))
    with pytest.raises(NotApplicable, match=r"output is 1.60 s .* source 1.00 s; at most 0.5 s"):
        check_lengths(_tone(8000, 1.6), _tone(8000, 1.0))


@pytest.mark.parametrize(("ours", "theirs"), [(0.0, 1.0), (1.0, 0.0)])
def test_silence_is_named(ours: float, theirs: float) -> None:
    name = "output" if ours == 0.0 else "source"
    with pytest.raises(NotApplicable, match=f"the {name} is silent"):
        aligned_mono(_tone(8000, gain=ours), _tone(8000, gain=theirs), 8000)
    empty = Audio(np.zeros((1, 0), np.float32), 8000)
    pair = (empty, _tone(8000)) if ours == 0.0 else (_tone(8000), empty)
    with pytest.raises(NotApplicable, match=f"the {name} is empty"):
        aligned_mono(*pair, 8000)


def test_the_lower_rate_decides() -> None:
    assert common_rate_hz(_tone(44_100), _tone(16_000), least_hz=8000, most_hz=24_000) == 16_000
    assert common_rate_hz(_tone(44_100), _tone(48_000), least_hz=8000, most_hz=24_000) == 24_000
    with pytest.raises(NotApplicable, match="found a rate of 8000 Hz, needs at least 16000 Hz"):
        common_rate_hz(_tone(44_100), _tone(8000), least_hz=16_000, most_hz=24_000)


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_levels_of_a_tone_and_a_pause(rate_hz: int, channels: int) -> None:
    audio = _tone(rate_hz, 1.0, channels)
    samples = audio.samples.copy()
    samples[:, rate_hz // 2 :] = 0.0
    level = levels_db(Audio(samples, rate_hz))
    assert len(level) == 101
    # A sine of 0.5 has -9.03 dB; frame k is centred at k / 100 s.
    np.testing.assert_allclose(level[5:50], -9.03, atol=0.6)
    assert level[50] == pytest.approx(-12.0, abs=1.0)
    assert level[60:].max() < -60.0
    assert loud_db(level) == pytest.approx(-9.0, abs=0.5)


def test_rumble_and_dc_are_no_level() -> None:
    time_s = np.arange(32_000) / 16_000
    rumble = (0.5 + 0.3 * np.sin(2 * np.pi * 8 * time_s)).astype(np.float32)
    assert levels_db(Audio(rumble[None], 16_000))[50:].max() < -40.0


def test_the_loud_level_is_that_of_the_little_that_is_heard() -> None:
    level = np.full(1000, FLOOR_DB)
    level[100:120] = -20.0
    assert loud_db(level) == pytest.approx(-20.0)
    assert loud_db(level[:0]) == FLOOR_DB


@pytest.mark.parametrize("length", [0, 1, 79, 80, 81, 8000, 8039, 8040, 8041])
def test_frames_are_those_of_the_pitch_curves(length: int) -> None:
    audio = Audio(np.full((1, length), 0.1, np.float32), 8000)
    level = levels_db(audio)
    assert len(level) == (length // 80 + 1 if length else 0)
    assert np.isfinite(level).all()
    if length:
        assert len(level) == len(harvest([(audio.mono(), 8000)])[0])


def test_a_rate_without_sound_is_refused() -> None:
    with pytest.raises(NotApplicable, match="found a rate of 100 Hz"):
        levels_db(Audio(np.zeros((1, 50), np.float32), 100))
