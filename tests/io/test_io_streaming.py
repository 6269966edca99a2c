"""Live resampling: exact counts, the same sound however it is cut, no drift."""

from __future__ import annotations

import numpy as np
import pytest

from autovoice import io
from autovoice.errors import InputError
from autovoice.io.streaming import StreamResampler

RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 44_101, 48_000]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("inward", [True, False])
def test_a_tone_comes_out_where_it_went_in(rate: int, inward: bool) -> None:
    from_hz, to_hz = (rate, 24_000) if inward else (24_000, rate)
    tone = np.sin(2 * np.pi * 1_000 * np.arange(from_hz) / from_hz).astype(np.float32)
    made = StreamResampler(from_hz, to_hz).feed(tone)
    expected = np.sin(2 * np.pi * 1_000 * np.arange(len(made)) / to_hz)
    assert np.abs(made - expected)[200:].max() < 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_any_cut_gives_the_same_samples(rate: int) -> None:
    noise = np.random.default_rng(1).standard_normal(20_000).astype(np.float32)
    whole = StreamResampler(rate, 24_000)
    expected = whole.feed(noise)
    cut, parts, at = StreamResampler(rate, 24_000), [], 0
    for size in np.random.default_rng(2).integers(0, 900, 100):
        parts.append(cut.feed(noise[at : at + size]))
        at = min(at + int(size), len(noise))
        assert sum(map(len, parts)) == cut.ready(at)
    parts.append(cut.feed(noise[at:]))
    assert np.array_equal(np.concatenate(parts), expected)
    assert len(cut._kept) <= 3 * cut.reach


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("behind", [0, 1_921])
def test_products_of_matrices_are_the_sums_they_stand_for(rate: int, behind: int) -> None:
    noise = np.random.default_rng(4).standard_normal(9_000).astype(np.float32)
    made, plain = (StreamResampler(24_000, rate, behind) for _ in range(2))
    assert made._tile is not None
    plain._tile = None
    parts = [made.feed(noise[at : at + 700]) for at in range(0, len(noise), 700)]
    np.testing.assert_allclose(np.concatenate(parts), plain.feed(noise), atol=3e-6)


def test_what_would_fold_back_is_gone() -> None:
    tone = np.sin(2 * np.pi * 15_000 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.abs(StreamResampler(48_000, 24_000).feed(tone)[200:]).max() < 1e-3


def test_it_agrees_with_the_resampler_of_files() -> None:
    noise = np.random.default_rng(3).standard_normal(48_000).astype(np.float32)
    low = io.resample(noise[None], 48_000, 16_000)  # nothing above 8 kHz
    sound = io.resample(low, 16_000, 48_000)[0]
    made = StreamResampler(48_000, 24_000).feed(sound)
    expected = io.resample(sound[None], 48_000, 24_000)[0][: len(made)]
    assert np.abs(made - expected)[500:-500].max() < 2e-3 * np.abs(expected).max()


def test_the_same_rate_is_left_alone() -> None:
    block = np.arange(5, dtype=np.float32)
    same = StreamResampler(24_000, 24_000)
    assert np.array_equal(same.feed(block), block)
    assert (same.ready(7), same.reach) == (7, 0)


def test_no_rate_is_an_error() -> None:
    with pytest.raises(InputError, match="1 Hz"):
        StreamResampler(0, 24_000)
