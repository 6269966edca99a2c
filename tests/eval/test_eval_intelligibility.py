"""STOI through the published library: its own figures, and the cases that it cannot judge."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pystoi
import pytest

from autovoice import io
from autovoice.errors import AutoVoiceError
from autovoice.eval.figure import NotApplicable
from autovoice.eval.intelligibility import RATE_HZ, StoiScore, stoi_score
from autovoice.types import Audio, FloatArray

RATE = 16_000


def _babble(seconds: float = 3.0, seed: int = 1) -> FloatArray:
    """Return noise whose bands rise and fall some four times a second."""
    noise = np.random.default_rng(seed)
    size = round(seconds * RATE)
    time_s = np.arange(size) / RATE
    sound = np.zeros(size)
    for centre_hz in (200, 400, 800, 1600, 3200):
        envelope = 1.0 + np.sin(2 * np.pi * (noise.uniform(2, 6) * time_s + noise.uniform()))
        phase = np.cumsum(noise.normal(0, 0.3, size)) + 2 * np.pi * centre_hz * time_s
        sound += envelope * np.sin(phase)
    return (0.03 * sound).astype(np.float32)


def _with_noise(clean: FloatArray, snr_db: float) -> FloatArray:
    noise = np.random.default_rng(7).normal(0, 1, len(clean))
    gain = np.sqrt(np.mean(clean.astype(np.float64) ** 2)) * 10 ** (-snr_db / 20)
    return (clean + gain * noise).astype(np.float32)


def _audio(samples: FloatArray, rate_hz: int = RATE) -> Audio:
    return Audio(samples[None], rate_hz)


def _score(output: Audio, source: Audio) -> StoiScore:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return stoi_score(output, source)


def test_equal_sounds_are_fully_intelligible_at_any_level() -> None:
    source = _babble()
    for gain in (1.0, 0.1):
        score = _score(_audio(source * np.float32(gain)), _audio(source))
        assert score.stoi == pytest.approx(1.0, abs=1e-4)
        assert score.estoi == pytest.approx(1.0, abs=1e-4)


def test_it_equals_the_library_and_falls_with_the_noise() -> None:
    source = _babble()
    scores = []
    for snr_db in (20.0, 5.0, -10.0):
        noisy = _with_noise(source, snr_db)
        score = _score(_audio(noisy), _audio(source))
        clean_64, noisy_64 = source.astype(np.float64), noisy.astype(np.float64)
        # The library resamples in its own way, which is all the difference.
        for mine, extended in ((score.stoi, False), (score.estoi, True)):
            theirs = pystoi.stoi(clean_64, noisy_64, RATE, extended=extended)
            assert mine == pytest.approx(theirs, abs=3e-3)
        scores.append(score.stoi)
    assert scores[0] > 0.95 > scores[1] > 0.6 > scores[2]


def test_unrelated_sounds_are_near_zero() -> None:
    score = _score(_audio(_babble(seed=1)), _audio(_babble(seed=99)))
    assert abs(score.stoi) < 0.3


def test_rates_and_some_samples_may_differ() -> None:
    source = _babble()
    high = io.resample(source[None], RATE, 44_100)[:, :-300]
    assert _score(Audio(high, 44_100), _audio(source)).stoi == pytest.approx(1.0, abs=1e-3)


def test_the_same_figure_in_every_run_even_in_digital_silence() -> None:
    source = _babble()
    gated = source.copy()
    gated[RATE : 2 * RATE] = 0
    one, other = (_score(_audio(gated), _audio(source)) for _ in range(2))
    assert one.stoi == pytest.approx(other.stoi, abs=1e-7)
    assert one.estoi == pytest.approx(other.estoi, abs=1e-7)
    # A third of it is gone, and what is left is as it was.
    assert 0.5 < one.stoi < 0.8


@pytest.mark.parametrize("seconds", [0.02, 0.03, 0.2, 0.4])
def test_too_little_sound_is_not_applicable(seconds: float) -> None:
    short = _audio(_babble(seconds))
    with pytest.raises(NotApplicable, match=r"found 0\.\d+ s within 40 dB .* needs 0.40 s"):
        _score(short, short)


def test_long_pauses_leave_too_little() -> None:
    source = _babble()
    source[RATE // 4 :] *= np.float32(1e-3)
    with pytest.raises(NotApplicable, match="STOI needs"):
        _score(_audio(source), _audio(source))


@pytest.mark.parametrize("samples", range(4200, 4500, 7))
def test_the_shortest_that_it_takes_is_what_the_library_takes(samples: int) -> None:
    sound = Audio(np.random.default_rng(3).normal(0, 0.1, (1, samples)).astype(np.float32), RATE_HZ)
    try:
        score = _score(sound, sound)
    except NotApplicable:
        with pytest.warns(RuntimeWarning, match="Not enough STFT frames"):
            assert pystoi.stoi(sound.samples[0], sound.samples[0], RATE_HZ) == 1e-5
    else:
        assert score.stoi == pytest.approx(1.0, abs=1e-6)


def test_what_cannot_be_judged_says_why() -> None:
    source = _audio(_babble())
    silence = _audio(np.zeros(3 * RATE, np.float32))
    with pytest.raises(NotApplicable, match="the output is silent"):
        stoi_score(silence, source)
    with pytest.raises(NotApplicable, match="the source is silent"):
        stoi_score(source, silence)
    with pytest.raises(NotApplicable, match=r"at most 0.5 s apart"):
        stoi_score(_audio(_babble(2.0)), source)
    with pytest.raises(NotApplicable, match="found a rate of 6000 Hz, needs at least 8000 Hz"):
        stoi_score(_audio(_babble(), 6000), _audio(_babble(), 6000))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    with pytest.raises(AutoVoiceError, match=r"pip install 'autovoice\[eval\]'"):
        stoi_score(_audio(_babble()), _audio(_babble()))
