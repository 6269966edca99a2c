from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autovoice.io.resample import resample
from autovoice.separate.spans import resampled_span

RATES = st.sampled_from([(48000, 44100), (44100, 48000), (8000, 44100), (44100, 96000), (7, 7)])


@settings(max_examples=40, deadline=None)
@given(RATES, st.integers(0, 60_000), st.data())
def test_a_span_is_that_of_the_whole(
    rates: tuple[int, int], length: int, data: st.DataObject
) -> None:
    sound = np.random.default_rng(length).standard_normal((2, length)).astype(np.float32)
    whole = resample(sound, *rates) if length and rates[0] != rates[1] else sound
    total = length * rates[1] // rates[0]
    start = data.draw(st.integers(0, total))
    stop = data.draw(st.integers(start, total))
    found = resampled_span(sound, *rates, start, stop)
    assert found.shape == (2, stop - start)
    # -100 dB of a sound of about 1: what the margin of the cut leaves of the filter's edge.
    np.testing.assert_allclose(found, whole[:, start:stop], atol=5e-5)


def test_zeros_outside_and_an_origin() -> None:
    sound = np.arange(1, 6, dtype=np.float32)[None]
    found = resampled_span(sound, 10, 10, 1, 10, origin=3)
    assert found.tolist() == [[0, 0, 1, 2, 3, 4, 5, 0, 0]]


@pytest.mark.parametrize("rates", [(48000, 44100), (44101, 44100)])
def test_an_origin_with_a_change_of_rate(rates: tuple[int, int]) -> None:
    time_s = np.arange(4 * rates[0]) / rates[0]
    sound = np.sin(2 * np.pi * 440 * time_s, dtype=np.float32)[None]
    whole = resampled_span(sound, *rates, 100_000, 120_000)
    part = resampled_span(sound[:, 777:], *rates, 100_000, 120_000, origin=777)
    np.testing.assert_allclose(part, whole, atol=1e-5)
