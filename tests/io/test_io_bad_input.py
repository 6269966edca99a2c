"""The rows of the bad-input table that files can meet."""

from __future__ import annotations

import io as standard_io
import logging
import pickle
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from autovoice import io
from autovoice.errors import InputError, ResourceError, UnsupportedAudio
from autovoice.io import guard
from autovoice.types import Audio

FRAME_OF_AAC = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(400)
NOT_AUDIO = {
    "a Matroska video": b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x23\x42\x82\x88matroska",
    "a WebM video": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
    "an MP4 or QuickTime video .brand 'isom'": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
    "AAC or ALAC audio in MP4": b"\x00\x00\x00\x20ftypM4A \x00\x00\x02\x00",
    "a QuickTime video": b"\x00\x00\x10\x00moov\x00\x00\x00\x6cmvhd",
    "an AVI video": b"RIFF\x00\x10\x00\x00AVI LIST",
    "an MPEG transport stream": (b"\x47" + bytes(187)) * 4,
    "an OGG video": b"OggS\x00\x02" + bytes(22) + b"\x80theora" + bytes(40),
    "an OGG file without": b"OggS\x00\x02" + bytes(22) + b"fishead\x00" + bytes(40),
    "AAC audio": FRAME_OF_AAC,
    "AAC audio .ADTS": b"ID3\x04\x00\x00\x00\x00\x00\x04" + bytes(4) + FRAME_OF_AAC,
    "Windows Media": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(40),
    "an M3U playlist": b"#EXTM3U\n#EXTINF:123,Artist - Title\nsong.mp3\n",
    "a PLS playlist": b"[playlist]\nFile1=song.mp3\n",
    "a CUE sheet": b'FILE "song.wav" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "an XSPF playlist": b'<?xml version="1.0"?><playlist version="1"></playlist>',
    "a web page": b"<!DOCTYPE html><html></html>",
    "text .it begins with 'la la'": b"la la",
    "text": "Ünïcode".encode("utf-16"),
    "a Python pickle": pickle.dumps({"weights": [1, 2, 3]}),
    "a safetensors file": struct.pack("<Q", 40) + b'{"__metadata__":{}}' + bytes(30),
    "a NumPy array": b"\x93NUMPY\x01\x00" + bytes(40),
    "a MIDI file": b"MThd\x00\x00\x00\x06" + bytes(40),
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "a gzip archive": b"\x1f\x8b\x08\x00" + bytes(40),
    "bytes that are no known audio": bytes(range(1, 30)) * 10,
}


def archive(member: str) -> bytes:
    file = standard_io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr(member, b"x")
    return file.getvalue()


def flac_of_silence(path: Path, seconds: int) -> Path:
    with sf.SoundFile(str(path), "w", 8_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(seconds // 60):
            file.write(np.zeros(8_000 * 60, np.int16))
    return path


@pytest.mark.parametrize("what", NOT_AUDIO)
def test_what_is_not_audio_is_named(what: str) -> None:
    with pytest.raises(UnsupportedAudio, match=f"found {what}.* expected WAV") as caught:
        io.read(NOT_AUDIO[what])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("suffix", [".m3u", ".pls", ".cue", ".xspf"])
def test_bare_lists_are_named_by_their_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_text("song.mp3\n")
    with pytest.raises(UnsupportedAudio, match=r"playlist|CUE sheet"):
        io.read(path)


def test_archives_and_checkpoints_are_not_opened() -> None:
    with pytest.raises(UnsupportedAudio, match=r"PyTorch checkpoint.*could run code"):
        io.read(archive("archive/data.pkl"))
    with pytest.raises(UnsupportedAudio, match=r"a ZIP archive.*unpack"):
        io.read(archive("song.wav"))


def test_a_pickle_is_never_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    (tmp_path / "x.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UnsupportedAudio, match="pickle"):
        io.read(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


def test_wrong_extension_over_text(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_text("not music")
    with pytest.raises(UnsupportedAudio, match=r"song\.mp3: found text"):
        io.probe(tmp_path / "song.mp3")


def test_missing_empty_folder_and_device(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        io.read(tmp_path / "none.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(InputError, match="empty file"):
        io.read(tmp_path / "empty.wav")
    with pytest.raises(InputError, match="empty file"):
        io.read(b"")
    with pytest.raises(InputError, match="a folder"):
        io.read(tmp_path)
    with pytest.raises(InputError, match="device"):
        io.read("/dev/zero")
    with pytest.raises(InputError):
        io.read("a\0b.wav")


@pytest.mark.parametrize("form", ["WAV", "RF64", "FLAC", "MP3", "AIFF"])
def test_half_a_file_is_refused_and_most_of_one_used(
    song: Audio, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = standard_io.BytesIO()
    samples = np.tile(song.samples, 6)
    sf.write(file, samples.T, 44_100, format=form)
    raw = file.getvalue()
    with pytest.raises(UnsupportedAudio, match="cut off or damaged"):
        io.read(raw[: len(raw) // 2])
    with caplog.at_level(logging.WARNING):
        most = io.read(raw[: int(len(raw) * 0.97)])
    assert "going on with that" in caplog.text
    assert 5.4 <= most.seconds < 6.0


@pytest.mark.parametrize("form", ["OGG", "OPUS"])
def test_an_ogg_without_its_end_is_used_with_a_warning(
    song: Audio, tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    samples = np.tile(song.samples, 4)
    raw = io.write(Audio(samples, 44_100), tmp_path / "x", format=form).read_bytes()
    with caplog.at_level(logging.WARNING):
        io.read(raw)
        assert "going on" not in caplog.text
        assert 0.5 <= io.read(raw[: len(raw) * 3 // 4]).seconds < 4.0
    assert "going on with that" in caplog.text


def test_only_the_header_of_a_file_is_refused(song: Audio, tmp_path: Path) -> None:
    for form in ("WAV", "FLAC", "MP3", "OGG", "OPUS"):
        raw = io.write(song, tmp_path / "x", format=form).read_bytes()
        for size in (16, 60):
            with pytest.raises(UnsupportedAudio):
                io.read(raw[:size])


def test_wav_from_a_pipe_has_no_length_and_is_read_whole(song: Audio, tmp_path: Path) -> None:
    raw = bytearray(io.write(song, tmp_path / "x.wav").read_bytes())
    at = raw.index(b"data") + 4
    for open_size in (0xFFFFFFFF, 0x7FFFF000):
        raw[at : at + 4] = struct.pack("<I", open_size)
        assert io.read(bytes(raw)).length_samples == song.length_samples


def test_an_hour_of_flac_is_refused_at_once_and_memory_stays_flat(tmp_path: Path) -> None:
    path = flac_of_silence(tmp_path / "bomb.flac", 3600)
    assert path.stat().st_size < 200_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"claims 3600\.0 s.*at most 1200\.0 s"):
        io.read(path, max_seconds=1200)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_header_that_hides_its_length_is_cut_while_decoding(tmp_path: Path) -> None:
    raw = bytearray(flac_of_silence(tmp_path / "bomb.flac", 3600).read_bytes())
    raw[21] &= 0xF0  # the sample count of STREAMINFO, 36 bits: 0 means unknown
    raw[22:26] = bytes(4)
    assert io.probe(bytes(raw)).claimed_seconds is None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"decodes to more than 600\.0 s"):
        io.read(bytes(raw), max_seconds=600)
    # 600 s are 19 MB; they exist twice while the array grows.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    with pytest.raises(InputError, match="decodes to more than"):
        next(io.blocks(bytes(raw), 1000, max_seconds=600))


def test_the_cap_counts_channels_and_rate(song: Audio, tmp_path: Path) -> None:
    limits = guard.Limits(max_seconds=10)
    assert limits.max_samples(44_100, 2) == 441_000
    assert limits.max_samples(96_000, 2) == 960_000
    assert limits.max_samples(655_350, 8) == 240_000
    with pytest.raises(InputError, match=r"expected at most 0\.5 s"):
        io.read(io.write(song, tmp_path / "x.wav"), max_seconds=0.5)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="max_seconds"):
            io.read(tmp_path / "x.wav", max_seconds=wrong)


@pytest.mark.parametrize("rate_hz", [1, 3_999, 768_001, 2_000_000_000])
def test_a_rate_no_voice_has_is_refused(song: Audio, tmp_path: Path, rate_hz: int) -> None:
    raw = bytearray(io.write(song, tmp_path / "x.wav").read_bytes())
    raw[24:28] = struct.pack("<I", rate_hz)
    with pytest.raises(InputError, match=f"sample rate of {rate_hz} Hz"):
        io.read(bytes(raw))


def test_more_channels_than_anyone_needs_are_refused() -> None:
    file = standard_io.BytesIO()
    sf.write(file, np.zeros((100, 65)), 44_100, format="WAV")
    with pytest.raises(InputError, match="65 channels"):
        io.read(file.getvalue())


@pytest.mark.parametrize("form", ["WAV", "RF64", "FLAC", "MP3", "OGG", "OPUS", "AIFF"])
def test_damaged_bytes_never_escape_the_guard(song: Audio, form: str) -> None:
    file = standard_io.BytesIO()
    container, subtype = ("OGG", "OPUS") if form == "OPUS" else (form, None)
    rate = 48_000 if form == "OPUS" else 44_100
    sf.write(file, song.samples.T, rate, format=container, subtype=subtype)
    raw = file.getvalue()
    rng = np.random.default_rng(5)
    for _ in range(4):
        damaged = bytearray(raw)
        for place in rng.integers(4, 120, 6):
            damaged[place] = rng.integers(256)
        try:
            audio = io.read(bytes(damaged), max_seconds=60)
        except (InputError, ResourceError):
            continue
        assert np.isfinite(audio.samples).all()
        assert np.abs(audio.samples).max() <= 1.0


def test_a_lying_rf64_is_refused() -> None:
    lie = struct.pack("<QQQI", 2**63, 2**63, 2**63, 2**31)
    fmt = struct.pack("<HHIIHH", 1, 2, 44_100, 176_400, 4, 16)
    raw = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", 28) + lie
    raw += b"fmt " + struct.pack("<I", 16) + fmt + b"data\xff\xff\xff\xff" + bytes(4000)
    with pytest.raises(InputError):
        io.read(raw)
