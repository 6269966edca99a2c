"""Spectral distances with known answers, and the same by another library's transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autovoice import io
from autovoice.eval.figure import NotApplicable
from autovoice.eval.stft_distance import RESOLUTIONS, mr_stft_distance
from autovoice.types import Audio, FloatArray

RATE = 24_000


def _noise(seconds: float = 1.0, seed: int = 0, gain: float = 0.1) -> FloatArray:
    size = round(seconds * RATE)
    return np.random.default_rng(seed).normal(0, gain, (1, size)).astype(np.float32)


def test_equal_sounds_are_no_distance_apart() -> None:
    assert mr_stft_distance(Audio(_noise(), RATE), Audio(_noise(), RATE)) == 0.0


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_is_read_as_it_is(gain: float) -> None:
    source = Audio(_noise(), RATE)
    output = Audio(source.samples * np.float32(gain), RATE)
    # Convergence |g - 1|, log magnitudes |ln g|: levels are not matched.
    wanted = abs(gain - 1.0) + abs(math.log(gain))
    assert mr_stft_distance(output, source) == pytest.approx(wanted, rel=2e-3)


def test_it_equals_the_definition() -> None:
    ours, theirs = _noise(1.3, 1), _noise(1.3, 2)
    distances = []
    for fft, hop, window in RESOLUTIONS:
        one, other = (
            torch.stft(
                torch.from_numpy(part),
                fft,
                hop,
                window,
                torch.hann_window(window),
                pad_mode="constant",
                return_complex=True,
            )
            .abs()
            .square()
            .clamp_min(1e-7)
            .sqrt()
            for part in (ours, theirs)
        )
        convergence = torch.linalg.norm(one - other) / torch.linalg.norm(other)
        distances.append(float(convergence + (one.log() - other.log()).abs().mean()))
    found = mr_stft_distance(Audio(ours, RATE), Audio(theirs, RATE))
    # The transform there has a last frame or two of padding more or less.
    assert found == pytest.approx(np.mean(distances), rel=2e-3)


def test_more_noise_is_further_away() -> None:
    source = Audio(_noise(), RATE)
    distances = [
        mr_stft_distance(Audio(source.samples + _noise(1.0, 5, gain), RATE), source)
        for gain in (0.001, 0.01, 0.1)
    ]
    assert distances == sorted(distances)
    assert distances[0] < 0.05 < 0.5 < distances[2]


def test_the_lower_rate_decides_the_band() -> None:
    source = Audio(_noise(2.0), RATE)
    narrow = Audio(io.resample(source.samples, RATE, 16_000), 16_000)
    stereo = Audio(np.tile(narrow.samples, (2, 1))[:, :-50], 16_000)
    assert mr_stft_distance(narrow, source) < 1e-3
    assert mr_stft_distance(stereo, source) < 1e-3


def test_a_long_sound_is_the_mean_of_its_blocks() -> None:
    one, other = _noise(7.0, 1), _noise(7.0, 2)
    whole = mr_stft_distance(Audio(one, RATE), Audio(other, RATE))
    part = mr_stft_distance(Audio(one[:, : 2 * RATE], RATE), Audio(other[:, : 2 * RATE], RATE))
    assert whole == pytest.approx(part, rel=0.01)


@pytest.mark.parametrize("length", [1, 2, 100])
def test_tiny_sounds_have_a_distance(length: int) -> None:
    source = Audio(np.full((1, length), 0.5, np.float32), RATE)
    assert mr_stft_distance(source, source) == 0.0
    output = Audio(source.samples / np.float32(4), RATE)
    assert math.isfinite(mr_stft_distance(output, source))


def test_what_cannot_be_judged_says_why() -> None:
    source = Audio(_noise(), RATE)
    with pytest.raises(NotApplicable, match="output is silent"):
        mr_stft_distance(Audio(np.zeros_like(source.samples), RATE), source)
    with pytest.raises(NotApplicable, match="source is empty"):
        mr_stft_distance(source, Audio(source.samples[:, :0], RATE))
    with pytest.raises(NotApplicable, match=r"at most 0\.5 s apart"):
        mr_stft_distance(source, Audio(_noise(2.0), RATE))
    with pytest.raises(NotApplicable, match="needs at least 8000 Hz"):
        mr_stft_distance(source, Audio(_noise(), 4000))
