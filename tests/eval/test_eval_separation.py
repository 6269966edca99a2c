"""Estimates at known distances from the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.eval.figure import NotApplicable
from autovoice.eval.separation import MOST_DB, sdr_db, si_sdr_db
from autovoice.separate.spleeter import Spleeter
from autovoice.types import Audio, FloatArray

RATE = 16_000
EVAL = Path(__file__).parents[3] / "shared" / "eval"


def _noise(seed: int, channels: int = 1, seconds: float = 2.0) -> FloatArray:
    size = (channels, round(seconds * RATE))
    return np.random.default_rng(seed).normal(0, 0.1, size).astype(np.float32)


def _audio(samples: FloatArray, rate_hz: int = RATE) -> Audio:
    return Audio(samples.astype(np.float32), rate_hz)


def _orthogonal(truth: FloatArray, seed: int = 9) -> FloatArray:
    """Return noise of the truth's energy that shares nothing with it."""
    truth = truth.astype(np.float64)
    rest = np.random.default_rng(seed).normal(0, 1, truth.shape)
    rest -= rest.mean(axis=1, keepdims=True)
    rest -= truth * np.vdot(rest, truth) / np.vdot(truth, truth)
    return rest * np.sqrt(np.vdot(truth, truth) / np.vdot(rest, rest))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ratio_db", [-10.0, 0.0, 20.0, 60.0])
def test_a_known_ratio_is_read(ratio_db: float, channels: int) -> None:
    truth = _noise(1, channels)
    truth -= truth.mean(axis=1, keepdims=True)
    estimate = _audio(truth + 10 ** (-ratio_db / 20) * _orthogonal(truth))
    assert si_sdr_db(estimate, _audio(truth)) == pytest.approx(ratio_db, abs=0.02)
    assert sdr_db(estimate, _audio(truth)) == pytest.approx(ratio_db, abs=0.02)


def test_a_perfect_estimate_is_limited() -> None:
    truth = _audio(_noise(1))
    assert si_sdr_db(truth, truth) == sdr_db(truth, truth) == MOST_DB


def test_a_gain_is_forgiven_by_one_alone() -> None:
    truth = _audio(_noise(1))
    half = _audio(truth.samples / 2)
    assert si_sdr_db(half, truth) == MOST_DB
    assert sdr_db(half, truth) == pytest.approx(20 * np.log10(2), abs=1e-4)
    assert si_sdr_db(_audio(-truth.samples), truth) == MOST_DB
    assert sdr_db(_audio(-truth.samples), truth) == pytest.approx(-20 * np.log10(2), abs=1e-4)


def test_a_wrong_balance_and_an_offset() -> None:
    truth = _noise(1, 2)
    tilted = truth * np.array([[1.0], [0.5]])
    assert si_sdr_db(_audio(tilted), _audio(truth)) < 15.0
    assert si_sdr_db(_audio(truth + 0.2), _audio(truth)) > 90.0


def test_an_unrelated_estimate_is_limited_below() -> None:
    truth = np.zeros((1, RATE), np.float32)
    estimate = truth.copy()
    truth[0, : RATE // 2] = np.tile([0.5, -0.5], RATE // 4)
    estimate[0, RATE // 2 :] = np.tile([0.5, -0.5], RATE // 4)
    assert si_sdr_db(_audio(estimate), _audio(truth)) == -MOST_DB
    assert sdr_db(_audio(np.zeros_like(truth)), _audio(truth)) == 0.0


def test_rates_and_some_samples_may_differ() -> None:
    time_s = np.arange(2 * 44_100) / 44_100
    tone = _audio(0.3 * np.sin(2 * np.pi * 300 * time_s)[None], 44_100)
    low = Audio(io.resample(tone.samples, 44_100, RATE)[:, :-40], RATE)
    assert si_sdr_db(low, tone) > 60.0


def test_what_cannot_be_judged_says_why() -> None:
    truth = _audio(_noise(1))
    silence = _audio(np.zeros((1, 2 * RATE)))
    for measure in (si_sdr_db, sdr_db):
        with pytest.raises(NotApplicable, match="the truth is silent"):
            measure(truth, silence)
        with pytest.raises(NotApplicable, match="found 2 and 1 channels"):
            measure(_audio(_noise(1, 2)), truth)
        with pytest.raises(NotApplicable, match=r"estimate is 3\.00 s long and the truth 2\.00 s"):
            measure(_audio(_noise(1, 1, 3.0)), truth)
    with pytest.raises(NotApplicable, match="the estimate is silent"):
        si_sdr_db(silence, truth)
    with pytest.raises(NotApplicable, match="the estimate is empty"):
        sdr_db(_audio(np.zeros((1, 0))), truth)
    with pytest.raises(NotApplicable, match="truth is a constant"):
        si_sdr_db(truth, _audio(np.full((1, 2 * RATE), 0.25)))


@pytest.mark.skipif(not EVAL.is_dir(), reason=f"the evaluation audio is not in {EVAL}")
def test_the_separator_on_a_mix_whose_stems_are_known() -> None:
    mix, vocal, backing = (
        io.read(EVAL / f"constructed_vocadito1_vibeace_{part}.flac")
        for part in ("mix", "voc", "acc")
    )
    stretch = slice(5 * mix.sample_rate_hz, 15 * mix.sample_rate_hz)
    mix, vocal, backing = (
        Audio(part.samples[:, stretch], part.sample_rate_hz) for part in (mix, vocal, backing)
    )
    stems = Spleeter().separate(mix)
    # The backing is 15 dB over the vocal here; measured on the whole: 15.5 and 3.0 dB better.
    assert si_sdr_db(stems.vocals, vocal) > si_sdr_db(mix, vocal) + 12.0
    assert si_sdr_db(stems.backing, backing) > si_sdr_db(mix, backing) + 2.0
    assert sdr_db(stems.vocals, vocal) > 1.0
