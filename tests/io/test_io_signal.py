"""Sanitising, resampling and arrays."""

from __future__ import annotations

import io as standard_io
import logging
import sys

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from autovoice import io
from autovoice.errors import InputError
from autovoice.types import Audio, FloatArray

ANY = settings(max_examples=25, deadline=None)
BAD_VALUES = [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, 17.0, 16.0, 0.0, -0.5, 1.0, 3.0]


def float_wav(samples: FloatArray, rate_hz: int = 44_100) -> bytes:
    file = standard_io.BytesIO()
    sf.write(file, samples.T, rate_hz, format="WAV", subtype="FLOAT")
    return file.getvalue()


@ANY
@given(
    values=st.lists(st.sampled_from(BAD_VALUES), min_size=1, max_size=50),
    channels=st.integers(1, 8),
)
def test_whatever_comes_in_is_finite_and_at_most_one(values: list[float], channels: int) -> None:
    samples = np.tile(np.asarray(values, np.float32), (channels, 1))
    damaged = np.count_nonzero(~(np.abs(samples) <= 16.0))
    if 2 * damaged > samples.size:
        with pytest.raises(InputError, match="divide integer-scaled"):
            io.from_array(samples, 44_100)
        return
    out = io.from_array(samples, 44_100).samples
    assert out.shape == samples.shape
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.0
    assert not (np.abs(out[out != 0]) < 1e-20).any()


def test_a_file_with_damage_is_used_and_the_rest_kept(
    song: Audio, caplog: pytest.LogCaptureFixture
) -> None:
    samples = song.samples.copy()
    places = [10, 20, 30, 40]
    samples[0, places] = [np.nan, np.inf, -1e38, 1e-45]
    with caplog.at_level(logging.WARNING):
        out = io.read(float_wav(samples)).samples
    assert "3 damaged values" in caplog.text
    assert (out[0, places] == 0).all()
    kept = np.delete(np.arange(samples.shape[1]), places)
    np.testing.assert_array_equal(out[:, kept], samples[:, kept])


def test_a_hot_file_is_turned_down_as_a_whole(song: Audio) -> None:
    out = io.read(float_wav(song.samples * 8)).samples
    assert np.abs(out).max() == pytest.approx(1.0, abs=1e-6)
    assert np.abs(out).max() <= 1.0
    np.testing.assert_allclose(out, song.samples / np.abs(song.samples).max(), atol=1e-6)
    parts = [part.copy() for part in io.blocks(float_wav(song.samples * 8), 5_000)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), out)


def test_a_constant_offset_goes_and_a_small_one_or_a_short_clip_stays(song: Audio) -> None:
    offset = song.samples + np.asarray([[0.3], [0.001]], np.float32)
    out = io.from_array(offset, 44_100).samples
    assert abs(out[0].mean()) < 1e-6
    np.testing.assert_array_equal(out[1], offset[1])
    clip = offset[:, :882]
    np.testing.assert_array_equal(io.from_array(clip, 44_100).samples, clip)


def test_silence_and_short_clips_and_many_channels_pass() -> None:
    for shape in ((2, 44_100), (1, 1), (8, 160)):
        out = io.read(float_wav(np.zeros(shape, np.float32), 8_000)).samples
        np.testing.assert_array_equal(out, np.zeros(shape))


def test_sanitise_refuses_no_samples() -> None:
    with pytest.raises(InputError, match="no samples"):
        io.sanitise(Audio(np.zeros((1, 0), np.float32), 44_100))


@pytest.mark.parametrize(
    ("dtype", "low", "middle", "high"),
    [
        (np.int8, -128, 0, 64),
        (np.uint8, 0, 128, 192),
        (np.int16, -32768, 0, 16384),
        (np.uint16, 0, 32768, 49152),
        (np.int32, -(2**31), 0, 2**30),
        (np.int64, -(2**63), 0, 2**62),
        (np.float16, -1.0, 0.0, 0.5),
        (np.float32, -1.0, 0.0, 0.5),
        (np.float64, -1.0, 0.0, 0.5),
    ],
)
def test_every_dtype_has_its_full_scale(dtype: type, low: int, middle: int, high: int) -> None:
    audio = io.from_array(np.asarray([low, middle, high], dtype), 16_000)
    assert audio.samples.dtype == np.float32
    np.testing.assert_array_equal(audio.samples, [[-1.0, 0.0, 0.5]])


def test_arrays_of_another_kind_are_refused() -> None:
    for wrong in (True, 1j, "a"):
        with pytest.raises(InputError, match="expected integers or floats"):
            io.from_array(np.asarray([wrong, wrong]), 44_100)
    for shape in ((), (0,), (2, 0), (65, 10), (1, 2, 3)):
        with pytest.raises(InputError, match="shape"):
            io.from_array(np.zeros(shape), 44_100)
    for rate_hz in (0, 1, 3_999, 768_001):
        with pytest.raises(InputError, match="sample_rate_hz"):
            io.from_array(np.zeros(10), rate_hz)


def test_the_callers_array_is_not_written_to() -> None:
    samples = np.asarray([np.nan, 5.0, 0.1], np.float32)
    io.from_array(samples, 44_100)
    np.testing.assert_array_equal(samples, np.asarray([np.nan, 5.0, 0.1], np.float32))


@ANY
@given(
    length=st.integers(0, 2_000),
    from_hz=st.integers(1, 768_000),
    to_hz=st.integers(1, 768_000),
    channels=st.integers(1, 8),
)
def test_the_length_rule_holds_for_any_rate(
    length: int, from_hz: int, to_hz: int, channels: int
) -> None:
    if length * to_hz // from_hz > 200_000:
        to_hz = from_hz
    out = io.resample(np.ones((channels, length), np.float32), from_hz, to_hz)
    exact = length * to_hz / from_hz
    assert out.shape[0] == channels
    assert abs(out.shape[1] - exact) <= 0.5
    assert out.dtype == np.float32


@ANY
@given(
    cuts=st.lists(st.integers(0, 8_000), max_size=8),
    rates=st.sampled_from([(44_100, 24_000), (24_000, 44_100), (16_000, 48_000), (8_000, 8_000)]),
)
def test_block_by_block_equals_whole(cuts: list[int], rates: tuple[int, int]) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (2, 8_000)).astype(np.float32)
    whole = io.resample(samples, *rates)
    stream = io.Resampler(*rates, channels=2)
    edges = zip([0, *sorted(cuts)], [*sorted(cuts), 8_000], strict=True)
    parts = [stream.feed(samples[:, start:end]) for start, end in edges]
    joined = np.concatenate([*parts, stream.finish()], axis=1)
    assert joined.shape == whole.shape
    assert np.abs(joined - whole).max() < 1e-6


def test_chunks_inside_resample_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, (1, 30_000)).astype(np.float32)
    whole = io.resample(samples, 44_100, 16_000)
    monkeypatch.setattr(sys.modules["autovoice.io.resample"], "_CHUNK_SAMPLES", 777)
    assert np.abs(io.resample(samples, 44_100, 16_000) - whole).max() < 1e-6


def test_a_tone_keeps_its_pitch_level_and_place() -> None:
    time = np.arange(44_100) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 1_000 * time)).astype(np.float32)[None]
    out = io.resample(tone, 44_100, 24_000)
    want = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(24_000) / 24_000)
    # The ends ring, as a tone that starts at once has energy above the band.
    assert np.abs(out[0] - want)[500:-500].max() < 1e-4


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="from 0 to 8000 Hz"):
        io.resample(np.zeros((1, 5), np.float32), 0, 8_000)
