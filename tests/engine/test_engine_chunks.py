from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autovoice.engine.chunks import (
    Chunk,
    curve_at,
    curve_between,
    per_tick,
    pitch_between,
    plan,
    window,
)
from autovoice.types import Curve, Pitch

SIZES = st.tuples(st.integers(1, 900), st.integers(4, 120), st.integers(0, 20), st.floats(0.0, 1.0))


def _plan(ticks: int, longest: int, context: int, share: float, quiet: bool) -> list[Chunk]:
    crossfade = share * min(2 * context, longest / 4)
    activity = np.random.default_rng(ticks).random(ticks, np.float32) if quiet else None
    return plan(ticks, longest=longest, context=context, crossfade=crossfade, activity=activity)


@given(SIZES, st.booleans())
def test_pieces_cover_every_tick_once_and_are_short_enough(
    sizes: tuple[int, int, int, float], quiet: bool
) -> None:
    ticks, longest, context, _ = sizes
    chunks = _plan(*sizes, quiet)
    assert [c.start for c in chunks] == [0, *(c.stop for c in chunks[:-1])]
    assert chunks[-1].stop == ticks
    for chunk in chunks:
        assert 1 <= chunk.stop - chunk.start <= longest
        assert chunk.left == max(0, chunk.start - context)
        assert chunk.right == min(ticks, chunk.stop + context)
    if len(chunks) > 1:
        assert min(c.stop - c.start for c in chunks) >= longest // 4


@given(SIZES, st.booleans(), st.integers(1, 40))
def test_windows_sum_to_one_at_every_sample(
    sizes: tuple[int, int, int, float], quiet: bool, per: int
) -> None:
    total = np.zeros(sizes[0] * per)
    for chunk in _plan(*sizes, quiet):
        total[chunk.left * per : chunk.right * per] += window(chunk, per)
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


@given(SIZES)
def test_pieces_that_agree_blend_into_the_whole(sizes: tuple[int, int, int, float]) -> None:
    per = 24
    whole = np.random.default_rng(3).standard_normal(sizes[0] * per)
    blended = np.zeros_like(whole)
    for chunk in _plan(*sizes, quiet=True):
        span = slice(chunk.left * per, chunk.right * per)
        blended[span] += whole[span] * window(chunk, per)
    error = np.sqrt(np.mean((blended - whole) ** 2) / np.mean(whole**2))
    assert error < 1e-5  # -100 dB; the promise is -60 dB


def test_pieces_are_cut_where_it_is_quiet() -> None:
    activity = np.ones(1000, np.float32)
    for middle in (180, 420, 610, 830):
        activity[middle - 6 : middle + 6] = 0
    chunks = plan(1000, longest=240, context=10, crossfade=1.0, activity=activity)
    for chunk in chunks[:-1]:
        assert activity[chunk.stop - 2 : chunk.stop + 2].max() == 0


def test_a_short_vocal_is_one_piece_without_fades() -> None:
    (chunk,) = plan(30, longest=240, context=10, crossfade=1.0)
    assert chunk == Chunk(0, 30, 0, 30, 0.0, 0.0)
    assert (window(chunk, 10) == 1).all()


@pytest.mark.parametrize(
    ("longest", "context", "crossfade"), [(3, 1, 0.5), (40, 1, 3.0), (8, 10, 4.0)]
)
def test_blends_without_room_are_refused(longest: int, context: int, crossfade: float) -> None:
    with pytest.raises(ValueError, match="no room to blend"):
        plan(100, longest=longest, context=context, crossfade=crossfade)


@given(
    st.floats(0.0, 0.02),
    st.sampled_from([0.01, 0.0125, 0.016, 0.02]),
    st.integers(0, 40),
    st.integers(1, 40),
)
def test_cut_curves_keep_their_times(offset_s: float, hop_s: float, a: int, n: int) -> None:
    at_s = offset_s + hop_s * np.arange(int(10 / hop_s))
    start_s, stop_s = a / 10, (a + n) / 10
    pitch = Pitch(at_s.astype(np.float32), np.ones(len(at_s), np.float32), hop_s, offset_s)
    curve = Curve(at_s.astype(np.float32), hop_s, offset_s)
    cut_pitch, cut_curve = (
        pitch_between(pitch, start_s, stop_s),
        curve_between(curve, start_s, stop_s),
    )
    for cut, values in ((cut_pitch, cut_pitch.f0_hz), (cut_curve, cut_curve.values)):
        times = cut.offset_s + cut.hop_s * np.arange(len(values))
        np.testing.assert_allclose(times + start_s, values, atol=1e-5)
        assert times[0] <= max(0.0, at_s[0] - start_s) + 1e-5
        assert times[-1] >= min(stop_s, at_s[-1]) - start_s - 1e-5


def test_a_curve_that_ends_early_gives_an_empty_or_short_cut() -> None:
    cut = curve_between(Curve(np.ones(10, np.float32), 0.01), 5.0, 6.0)
    assert len(cut.values) <= 1


def test_activity_per_tick_is_the_largest() -> None:
    curve = Curve(np.asarray([0, 0, 1, 0, 0.5], np.float32), 0.05)
    np.testing.assert_array_equal(per_tick(curve, 4), [0, 1, 0.5, 0])


def test_a_curve_is_read_between_its_frames() -> None:
    curve = Curve(np.asarray([0, 1, 0], np.float32), 0.5, 0.25)
    np.testing.assert_allclose(curve_at(curve, 6, 4), [0, 0, 0.5, 1, 0.5, 0])
    assert not curve_at(Curve(np.zeros(0, np.float32), 0.1), 3, 4).any()
