from __future__ import annotations

import io as standard_io
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autovoice import io
from autovoice.errors import InputError
from autovoice.io.formats import FORMATS
from autovoice.types import Audio

ANY = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Largest error per coding: half a step of the integer ones, what the codec changes of a soft sine
# in the lossy ones.
TOLERANCE = {
    "PCM_S8": 2.0**-8,
    "PCM_U8": 2.0**-8,
    "PCM_16": 2.0**-16,
    "PCM_24": 2.0**-24,
    "PCM_32": 2.0**-25,
    "FLOAT": 0.0,
    "DOUBLE": 0.0,
    "MPEG_LAYER_III": 0.02,
    "VORBIS": 0.03,
    "OPUS": 0.05,
}
EVERY = [(name, subtype) for name, form in FORMATS.items() for subtype in form.subtypes]


@pytest.mark.parametrize(("name", "subtype"), EVERY)
def test_round_trip_keeps_samples_length_and_tags(
    song: Audio, tmp_path: Path, name: str, subtype: str
) -> None:
    path = io.write(song, tmp_path / "x.bin", format=name, subtype=subtype)
    back = io.read(path)
    want = io.resample(song.samples, 44_100, back.sample_rate_hz)
    assert back.sample_rate_hz == (48_000 if name == "OPUS" else 44_100)
    assert back.samples.shape == want.shape
    assert np.abs(back.samples - want).max() <= TOLERANCE[subtype]
    assert dict(back.metadata) == dict(song.metadata)
    assert sf.info(str(path)).subtype == subtype


@pytest.mark.parametrize(
    ("suffix", "container", "codec"),
    [
        (".wav", "WAV", "PCM_24"),
        (".WAVE", "WAV", "PCM_24"),
        (".rf64", "RF64", "PCM_24"),
        (".flac", "FLAC", "PCM_24"),
        (".mp3", "MP3", "MPEG_LAYER_III"),
        (".ogg", "OGG", "VORBIS"),
        (".oga", "OGG", "VORBIS"),
        (".opus", "OGG", "OPUS"),
    ],
)
def test_suffix_decides_the_format(
    song: Audio, tmp_path: Path, suffix: str, container: str, codec: str
) -> None:
    info = io.probe(io.write(song, tmp_path / f"x{suffix}"))
    assert (info.container, info.codec, info.channels) == (container, codec, 2)
    assert info.claimed_seconds == pytest.approx(1.0)
    assert info.metadata["title"] == song.metadata["title"]


def test_probe_and_read_go_by_content_not_by_name(song: Audio, tmp_path: Path) -> None:
    path = io.write(song, tmp_path / "x.mp3", format="flac")
    assert io.probe(path).container == "FLAC"
    assert io.read(path).length_samples == song.length_samples


def test_bytes_and_paths_and_strings_give_the_same(song: Audio, tmp_path: Path) -> None:
    path = io.write(song, tmp_path / "x.flac")
    whole = io.read(path).samples
    np.testing.assert_array_equal(whole, io.read(path.read_bytes()).samples)
    np.testing.assert_array_equal(whole, io.read(str(path)).samples)


def test_aiff_and_extensible_wav_are_read(song: Audio) -> None:
    for container, name in (("AIFF", "AIFF"), ("WAVEX", "WAV")):
        file = standard_io.BytesIO()
        sf.write(file, song.samples.T, 44_100, format=container, subtype="PCM_24")
        back = io.read(file.getvalue())
        assert io.probe(file.getvalue()).container == name
        assert np.abs(back.samples - song.samples).max() <= 2.0**-22


def test_sixteen_bit_round_trip_is_exact(tmp_path: Path) -> None:
    steps = np.arange(-32768, 32768, dtype=np.int16)
    audio = io.from_array(steps, 48_000)
    for suffix in (".wav", ".flac"):
        back = io.read(io.write(audio, tmp_path / f"x{suffix}", subtype="PCM_16"))
        np.testing.assert_array_equal(back.samples[0] * 32768, steps)


@ANY
@given(
    form=st.sampled_from(EVERY),
    length=st.integers(1, 3000),
    rate_hz=st.integers(4_000, 768_000),
    channels=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_any_length_rate_and_channel_count(
    tmp_path: Path,
    form: tuple[str, str],
    length: int,
    rate_hz: int,
    channels: int,
    seed: int,
) -> None:
    name, subtype = form
    rows = min(channels, FORMATS[name].max_channels)
    values = np.random.default_rng(seed).uniform(-0.9, 0.9, (rows, length)).astype(np.float32)
    back = io.read(io.write(Audio(values, rate_hz), tmp_path / "x", format=name, subtype=subtype))
    file_rate = FORMATS[name].rate_for(rate_hz)
    assert back.sample_rate_hz == file_rate
    assert back.samples.shape == io.resample(values, rate_hz, file_rate).shape
    assert np.abs(back.samples).max() <= 1.0
    if TOLERANCE[subtype] < 0.01 and file_rate == rate_hz:
        assert np.abs(back.samples - values).max() <= TOLERANCE[subtype]


@ANY
@given(block=st.integers(100, 30_000), form=st.sampled_from(["WAV", "FLAC", "MP3", "OGG", "OPUS"]))
def test_blocks_together_equal_read(song: Audio, tmp_path: Path, block: int, form: str) -> None:
    path = tmp_path / form
    if not path.exists():
        io.write(Audio(song.samples[:, :20_000], 44_100), path, format=form)
    parts = [part.copy() for part in io.blocks(path, block)]
    assert all(part.shape[1] == block for part in parts[:-1])
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), io.read(path).samples)


@ANY
@given(cuts=st.lists(st.integers(0, 10_000), max_size=5), form=st.sampled_from(["WAV", "OPUS"]))
def test_writer_block_by_block_equals_write(
    song: Audio, tmp_path: Path, cuts: list[int], form: str
) -> None:
    clip = song.samples[:, :10_000]
    whole = io.read(io.write(Audio(clip, 44_100), tmp_path / "whole", format=form)).samples
    with io.Writer(tmp_path / "parts", 44_100, 2, format=form) as writer:
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 10_000], strict=True):
            writer.write(clip[:, start:end])
    parts = io.read(tmp_path / "parts").samples
    assert parts.shape == whole.shape
    # The resampler's rounding may differ in the last bits; the codec makes a little more of it.
    assert np.abs(parts - whole).max() <= (0.0 if form == "WAV" else 1e-3)


def test_mp3_without_a_frame_count_is_read_to_its_end(tmp_path: Path) -> None:
    # Loud first and silent later makes libsndfile guess far too short a length, the other way
    # round far too long a one.
    rng = np.random.default_rng(0)
    loud = (0.2 * rng.standard_normal((2, 44_100 * 2))).astype(np.float32)
    quiet = np.zeros_like(loud)
    for order in ([loud, quiet, quiet], [quiet, quiet, loud]):
        path = io.write(Audio(np.concatenate(order, axis=1), 44_100), tmp_path / "x.mp3")
        raw = path.read_bytes()
        count_frame = raw.index(b"Xing")
        bare = raw[raw.index(b"\xff\xfb", count_frame) :]
        assert io.probe(bare).claimed_seconds is None
        for data in (bare, b"ID3\x04\0\0\0\0\1\0" + bytes(128) + bare):
            # Without the count nobody knows the encoder's padding: up to two frames and a delay.
            assert 6.0 <= io.read(data).seconds <= 6.1


def test_wav_of_more_than_4_gb_becomes_rf64(song: Audio, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with io.Writer(path, 44_100, 2, length_samples=2**30) as writer:
        writer.write(song.samples)
    assert io.probe(path).container == "RF64"


def test_wav_that_outgrows_4_gb_is_refused(
    song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autovoice.io.writer._WAV_LIMIT_BYTES", 1000)
    with (
        pytest.raises(InputError, match="RF64"),
        io.Writer(tmp_path / "x.wav", 44_100, 2) as writer,
    ):
        writer.write(song.samples)
    assert list(tmp_path.iterdir()) == []


def test_hostile_and_unknown_tags(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tags = {"title": "a\x1b[31mb\0c", "artist": "", "colour": "red", "comment": "x" * 9000}
    audio = Audio(np.zeros((1, 100), np.float32), 8_000, tags)
    with caplog.at_level(logging.DEBUG):
        back = io.read(io.write(audio, tmp_path / "x.flac"))
    assert back.metadata["title"] == "a[31mbc"
    assert set(back.metadata) == {"title", "comment"}
    assert len(back.metadata["comment"]) == 4096
