"""DistillMOS: the figures of the published package, order, bad input, segments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from autovoice import io
from autovoice.eval.distillmos import DistillMos, segments
from autovoice.eval.figure import NotApplicable
from autovoice.nn.distillmos import SEGMENT_SAMPLES
from autovoice.types import Audio, FloatArray
from published_figures import cuts

FIGURES = json.loads(Path(__file__).with_name("published_figures.json").read_text("utf-8"))["files"]
# Both sides compute in float32 and agree to 1e-5 on one machine.
TOLERANCE = 1e-3
EVAL = Path(__file__).parents[3] / "shared" / "eval"


@pytest.fixture(scope="module")
def judge() -> DistillMos:
    return DistillMos()


@pytest.fixture(scope="module")
def sounds() -> dict[str, FloatArray]:
    return dict(cuts())


def _audio(samples: FloatArray, sample_rate_hz: int = 16_000) -> Audio:
    return Audio(samples[None], sample_rate_hz)


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_scores_are_those_of_the_published_package(
    name: str, judge: DistillMos, sounds: dict[str, FloatArray]
) -> None:
    found = judge.score(_audio(sounds[name]))
    assert found == pytest.approx(FIGURES[name]["distillmos"], abs=TOLERANCE)


def test_noise_lowers_the_score(judge: DistillMos, sounds: dict[str, FloatArray]) -> None:
    clean = sounds["whole"][: 7 * 16_000]
    noise = clean.std() * np.random.default_rng(0).standard_normal(len(clean), np.float32)
    scores = [judge.score(_audio(clean + share * noise)) for share in (0.0, 0.3, 1.0)]
    assert scores[0] > scores[1] + 0.05
    assert scores[1] > scores[2] + 0.05


@pytest.mark.skipif(not EVAL.is_dir(), reason="../shared/eval is not there")
def test_clean_speech_reads_well_and_noisy_speech_badly(judge: DistillMos) -> None:
    speech = io.read(EVAL / "libri_testother_1688.flac")
    rate_hz = speech.sample_rate_hz
    clean = speech.samples[:, 5 * rate_hz : 10 * rate_hz]
    noise = clean.std() * np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    good, bad = (judge.score(Audio(each, rate_hz)) for each in (clean, clean + 0.3 * noise))
    assert good > 3.0
    assert bad < good - 0.5


def test_rate_and_channels_do_not_count(judge: DistillMos, sounds: dict[str, FloatArray]) -> None:
    # What lies at the edge of the band counts, and resampling there and back takes it away.
    edge = butter(8, 7_000, "lowpass", fs=16_000, output="sos")
    mono = sosfiltfilt(edge, sounds["vowels"][: 4 * 16_000]).astype(np.float32)
    high = io.resample(mono[None], 16_000, 44_100)
    stereo = Audio(np.concatenate((1.2 * high, 0.8 * high)), 44_100)
    assert judge.score(stereo) == pytest.approx(judge.score(_audio(mono)), abs=0.02)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(0, np.float32), "0.00 s"),
        (np.full(1_600, 0.1, np.float32), "0.10 s.*at least 0.5 s"),
        (np.zeros(32_000, np.float32), "2.00 s is silent"),
        (np.full(32_000, 1e-6, np.float32), "silent"),
        (np.full(32_000, np.nan, np.float32), "finite"),
    ],
)
def test_what_cannot_be_judged_says_why(samples: FloatArray, says: str, judge: DistillMos) -> None:
    with pytest.raises(NotApplicable, match=says):
        judge.score(_audio(samples))


def test_a_constant_gets_a_finite_score(judge: DistillMos) -> None:
    assert 1.0 <= judge.score(_audio(np.full(8_000, 1.0, np.float32))) <= 5.0


def test_short_sound_is_filled_up_and_long_sound_spread() -> None:
    filled = segments(np.ones(100, np.float32))
    assert filled.shape == (1, SEGMENT_SAMPLES)
    assert filled.sum() == 100
    exact = np.arange(SEGMENT_SAMPLES, dtype=np.float32)
    np.testing.assert_array_equal(segments(exact)[0], exact)
    for more, count in ((1, 2), (16_000, 2), (16_001, 3), (48_000, 4)):
        pieces = segments(np.arange(SEGMENT_SAMPLES + more, dtype=np.float32))
        assert pieces.shape == (count, SEGMENT_SAMPLES)
        steps = np.diff(pieces[:, 0])
        assert pieces[0, 0] == 0
        assert pieces[-1, -1] == SEGMENT_SAMPLES + more - 1
        assert steps.max() <= 16_000
        assert steps.max() - steps.min() <= 1
