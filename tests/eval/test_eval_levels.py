"""Loudness and true peak of reference tones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autovoice.eval.figure import NotApplicable
from autovoice.eval.levels import loudness_lufs, true_peak_dbtp
from autovoice.types import Audio


def _tone(
    level_dbfs: float, *, hz: float = 997.0, rate_hz: int = 48_000, channels: int = 2, phase=0.0
) -> Audio:
    time_s = np.arange(3 * rate_hz) / rate_hz
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * hz * time_s + phase)
    return Audio(np.tile(wave, (channels, 1)).astype(np.float32), rate_hz)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_the_reference_tone_of_ebu_tech_3341_reads_23_lufs(rate_hz: int) -> None:
    # A stereo sine of 997 Hz (1 kHz) at -23 dBFS peak is -23.0 LUFS.
    assert loudness_lufs(_tone(-23.0, rate_hz=rate_hz)) == pytest.approx(-23.0, abs=0.1)
    assert loudness_lufs(_tone(-33.0, rate_hz=rate_hz)) == pytest.approx(-33.0, abs=0.1)


def test_one_channel_of_it_reads_3_lu_less() -> None:
    assert loudness_lufs(_tone(-23.0, channels=1)) == pytest.approx(-26.0, abs=0.1)


def test_the_peak_between_the_samples_is_found() -> None:
    # A quarter of the rate, sampled 45 degrees off: the samples read 3 dB less than the wave.
    tone = _tone(-6.0, hz=12_000, phase=math.pi / 4)
    assert 20 * math.log10(float(np.abs(tone.samples).max())) == pytest.approx(-9.0, abs=0.1)
    assert true_peak_dbtp(tone) == pytest.approx(-6.0, abs=0.2)


def test_what_cannot_be_measured_says_why() -> None:
    silence = Audio(np.zeros((2, 48_000), np.float32), 48_000)
    empty = Audio(np.zeros((1, 0), np.float32), 48_000)
    with pytest.raises(NotApplicable, match="silent: nothing is over the gate of -70 LUFS"):
        loudness_lufs(silence)
    with pytest.raises(NotApplicable, match="gate of -70 LUFS"):
        loudness_lufs(_tone(-80.0))
    with pytest.raises(NotApplicable, match=r"found 0\.00 s, loudness needs 0\.4 s"):
        loudness_lufs(empty)
    with pytest.raises(NotApplicable, match=r"found 0\.25 s"):
        loudness_lufs(Audio(_tone(-23.0).samples[:, :12_000], 48_000))
    with pytest.raises(NotApplicable, match="rate of 4000 Hz"):
        loudness_lufs(_tone(-23.0, rate_hz=4000))
    for nothing in (silence, empty):
        with pytest.raises(NotApplicable, match="sound is silent"):
            true_peak_dbtp(nothing)
