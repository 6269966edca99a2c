"""Sibilants and breaths made louder, duller or silent by known amounts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from autovoice import io
from autovoice.eval import harvest
from autovoice.eval.figure import NotApplicable
from autovoice.eval.fricatives import breath_db, sibilance_db
from autovoice.types import Audio

RATE = 24_000
# Where what is: two vowels, two sibilants, and a breath; silence between.
VOWELS = ((0.1, 0.9), (1.8, 2.6))
SIBILANTS = ((1.0, 1.2), (2.7, 2.9))
BREATH = (1.3, 1.7)
LENGTH_S = 3.1
Wave = NDArray[np.float64]


def _between(spans: tuple[tuple[float, float], ...]) -> Wave:
    time_s = np.arange(round(LENGTH_S * RATE)) / RATE
    inside = sum((time_s >= start) & (time_s < end) for start, end in spans)
    return np.asarray(inside, dtype=np.float64)


def _vowels() -> Wave:
    time_s = np.arange(round(LENGTH_S * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * 200 * k * time_s) / k for k in range(1, 6))
    return 0.1 * wave * _between(VOWELS)


def _hiss(
    low_hz: float, high_hz: float, gain: float, spans: tuple[tuple[float, float], ...]
) -> Wave:
    noise = np.random.default_rng(3).normal(0, gain, round(LENGTH_S * RATE))
    band = signal.butter(4, (low_hz, high_hz), "bandpass", fs=RATE, output="sos")
    return signal.sosfilt(band, noise) * _between(spans)


def _sung(*, sibilants_db: float = 0.0, breath_db: float = 0.0, gain: float = 1.0) -> Audio:
    parts = (
        _vowels(),
        10 ** (sibilants_db / 20) * _hiss(5000, 9000, 0.1, SIBILANTS),
        10 ** (breath_db / 20) * _hiss(500, 3000, 0.006, (BREATH,)),
    )
    return Audio((gain * sum(parts))[None].astype(np.float32), RATE)


def _f0_hz() -> Wave:
    time_s = np.arange(round(LENGTH_S * 100) + 1) / 100
    return np.where([any(a <= t < b for a, b in VOWELS) for t in time_s], 200.0, 0.0)


@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_what_is_kept_reads_0_at_any_level(gain: float) -> None:
    output, source = _sung(gain=gain), _sung()
    assert sibilance_db(output, source, _f0_hz()) == pytest.approx(0.0, abs=1e-3)
    assert breath_db(output, source, _f0_hz()) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("change_db", [-20.0, -6.0, 6.0])
def test_a_known_change_is_read(change_db: float) -> None:
    sharper, breathier = _sung(sibilants_db=change_db), _sung(breath_db=change_db)
    assert sibilance_db(sharper, _sung(), _f0_hz()) == pytest.approx(change_db, abs=0.05)
    assert breath_db(breathier, _sung(), _f0_hz()) == pytest.approx(change_db, abs=0.05)
    # One says nothing about the other.
    assert sibilance_db(breathier, _sung(), _f0_hz()) == pytest.approx(0.0, abs=0.05)
    assert breath_db(sharper, _sung(), _f0_hz()) == pytest.approx(0.0, abs=0.05)


def test_it_holds_with_the_pitch_that_harvest_finds() -> None:
    source = _sung()
    (f0_hz,) = harvest([(source.mono(), RATE)])
    output = _sung(sibilants_db=-6.0, breath_db=-10.0)
    assert sibilance_db(output, source, f0_hz) == pytest.approx(-6.0, abs=0.5)
    assert breath_db(output, source, f0_hz) == pytest.approx(-10.0, abs=1.0)


def test_dull_and_muted_are_negative_and_limited() -> None:
    dull = signal.sosfilt(
        signal.butter(4, 3000, fs=RATE, output="sos"), _sung().samples.astype(np.float64)
    ).astype(np.float32)
    assert sibilance_db(Audio(dull, RATE), _sung(), _f0_hz()) < -12.0
    muted = _sung(sibilants_db=-300.0, breath_db=-300.0)
    assert -60.0 < sibilance_db(muted, _sung(), _f0_hz()) < -40.0
    assert -45.0 < breath_db(muted, _sung(), _f0_hz()) < -20.0


def test_the_lower_rate_limits_the_band_of_both() -> None:
    source = _sung()
    low = Audio(io.resample(source.samples, RATE, 16_000)[:, :-50], 16_000)
    assert sibilance_db(low, source, _f0_hz()) == pytest.approx(0.0, abs=0.05)
    assert sibilance_db(source, low, _f0_hz()) == pytest.approx(0.0, abs=0.05)
    assert breath_db(low, source, _f0_hz()) == pytest.approx(0.0, abs=0.05)
    stereo = Audio(np.tile(source.samples, (2, 1)), RATE)
    assert sibilance_db(stereo, source, _f0_hz()) == pytest.approx(0.0, abs=1e-3)


def test_steady_noise_is_no_breath() -> None:
    noise = np.random.default_rng(0).normal(0, 0.002, round(LENGTH_S * RATE))
    source = Audio((_vowels() + noise)[None].astype(np.float32), RATE)
    with pytest.raises(NotApplicable, match=r"found \d+ breathy frames .* needs 20"):
        breath_db(source, source, _f0_hz())


def _cut(audio: Audio, seconds: float) -> Audio:
    return Audio(audio.samples[:, : round(seconds * RATE)], RATE)


def test_too_few_frames_are_named() -> None:
    short = _cut(_sung(), 1.1)
    with pytest.raises(NotApplicable, match=r"found (9|10|11) sibilant frames .* needs 20"):
        sibilance_db(short, short, _f0_hz())
    with pytest.raises(NotApplicable, match="found 0 breathy frames"):
        breath_db(short, short, _f0_hz())
    unvoiced = np.zeros_like(_f0_hz())
    for measure in (sibilance_db, breath_db):
        with pytest.raises(NotApplicable, match="found 0 voiced frames in the source"):
            measure(_sung(), _sung(), unvoiced)
        with pytest.raises(NotApplicable, match="needs 20"):
            measure(_sung(), _sung(), unvoiced[:0])
        with pytest.raises(NotApplicable, match="needs 20"):
            measure(_sung(), _sung(), np.full_like(unvoiced, 200.0))


def test_what_cannot_be_judged_says_why() -> None:
    silence = Audio(np.zeros_like(_sung().samples), RATE)
    for measure in (sibilance_db, breath_db):
        with pytest.raises(NotApplicable, match="output is silent"):
            measure(silence, _sung(), _f0_hz())
        with pytest.raises(NotApplicable, match="source is silent"):
            measure(_sung(), silence, _f0_hz())
        with pytest.raises(NotApplicable, match="output is empty"):
            measure(_cut(_sung(), 0.0), _sung(), _f0_hz())
        with pytest.raises(NotApplicable, match=r"at most 0\.5 s apart"):
            measure(_cut(_sung(), 2.0), _sung(), _f0_hz())
        with pytest.raises(NotApplicable, match="rate of 6000 Hz"):
            measure(Audio(_sung().samples[:, ::4].copy(), 6000), _sung(), _f0_hz())
    with pytest.raises(NotApplicable, match="found a rate of 8000 Hz, needs at least 16000"):
        sibilance_db(Audio(_sung().samples[:, ::3].copy(), 8000), _sung(), _f0_hz())


def test_an_output_without_the_voice_is_no_measure_of_breath() -> None:
    source = _sung(breath_db=0.0)
    ours = source.samples.copy()
    voiced = np.repeat(_f0_hz() > 0, source.sample_rate_hz // 100)[: ours.shape[1]]
    ours[:, : len(voiced)][:, voiced] = 0.0
    with pytest.raises(NotApplicable, match="silent where the source sings"):
        breath_db(Audio(ours, source.sample_rate_hz), source, _f0_hz())


def test_an_output_without_the_voice_is_no_measure_of_sibilance() -> None:
    hiss = Audio(_hiss(5000, 9000, 0.1, SIBILANTS)[None].astype(np.float32), RATE)
    with pytest.raises(NotApplicable, match="output is silent where the source sings"):
        sibilance_db(hiss, _sung(), _f0_hz())
