"""Noise put into known parts of the pauses."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice import io
from autovoice.eval.figure import NotApplicable
from autovoice.eval.gaps import gap_noise_share
from autovoice.types import Audio, FloatArray

RATE = 16_000


def _sung(pause_s: float = 1.0) -> FloatArray:
    """Return a second of a tone, a pause, and another second."""
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)
    pause = np.zeros(round(pause_s * RATE))
    return np.concatenate([tone, pause, tone]).astype(np.float32)


def _hiss(level_db: float, start_s: float, end_s: float, length: int) -> FloatArray:
    """Return noise at a level under the tone's, between two times."""
    gain = 0.3 / np.sqrt(2) * 10 ** (level_db / 20)
    noise = np.random.default_rng(0).normal(0, gain, length)
    time_s = np.arange(length) / RATE
    return (noise * ((time_s >= start_s) & (time_s < end_s))).astype(np.float32)


def _share(output: FloatArray, source: FloatArray) -> float:
    return gap_noise_share(Audio(output[None], RATE), Audio(source[None], RATE))


def test_silent_pauses_are_silent_at_any_level() -> None:
    assert _share(_sung(), _sung()) == 0.0
    assert _share(_sung() * np.float32(0.01), _sung()) == 0.0


@pytest.mark.parametrize(("end_s", "share"), [(1.5, 0.5), (1.275, 0.25), (3.0, 1.0)])
def test_the_share_of_hiss_is_read(end_s: float, share: float) -> None:
    source = _sung()
    output = source + _hiss(-30.0, 1.0, end_s, len(source))
    # The pause from 1 to 2 s counts from 1.05 to 1.95 s.
    assert _share(output, source) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("level_db", "share"), [(-40.0, 1.0), (-60.0, 0.0)])
def test_hiss_counts_from_50_db_under_the_voice(level_db: float, share: float) -> None:
    source = _sung()
    assert _share(source + _hiss(level_db, 1.0, 2.0, len(source)), source) == share


def test_noise_under_the_voice_and_late_ends_are_no_noise_in_gaps() -> None:
    source = _sung()
    output = source + _hiss(-30.0, 0.0, 0.9, len(source))
    assert _share(output, source) == 0.0
    assert _share(np.roll(source, round(0.04 * RATE)), source) == 0.0
    assert _share(np.roll(source, round(0.2 * RATE)), source) > 0.1


def test_rates_channels_and_some_samples_may_differ() -> None:
    source = _sung()
    output = source + _hiss(-30.0, 1.0, 1.5, len(source))
    high = io.resample(np.tile(output, (2, 1)), RATE, 44_100)[:, :-2000]
    share = gap_noise_share(Audio(high, 44_100), Audio(source[None], RATE))
    assert share == pytest.approx(0.5, abs=0.03)


def test_what_cannot_be_judged_says_why() -> None:
    source = _sung()
    with pytest.raises(NotApplicable, match=r"found 0\.\d\d s of silence .*needs 0\.2 s"):
        _share(_sung(0.25), _sung(0.25))
    assert _share(_sung(0.4), _sung(0.4)) == 0.0
    noisy = source + _hiss(-40.0, 0.0, 3.0, len(source))
    with pytest.raises(NotApplicable, match=r"found 0\.00 s of silence"):
        _share(source, noisy)
    with pytest.raises(NotApplicable, match="output is silent"):
        _share(np.zeros_like(source), source)
    with pytest.raises(NotApplicable, match="source is silent"):
        _share(source, np.zeros_like(source))
    with pytest.raises(NotApplicable, match="output is empty"):
        _share(source[:0], source)
    with pytest.raises(NotApplicable, match=r"at most 0\.5 s apart"):
        _share(_sung(2.0), source)
