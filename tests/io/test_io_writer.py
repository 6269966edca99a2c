"""Writing: never half a file, and clear words where it cannot be done."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autovoice import io
from autovoice.errors import InputError, ResourceError
from autovoice.types import Audio

SLOW_WRITER = """
import sys, numpy as np
from autovoice import io
with io.Writer(sys.argv[1], 44100, 1) as writer:
    writer.write(np.zeros((1, 200000), np.float32))
    print("half", flush=True)
    sys.stdin.read()
"""
FULL_DISK = """
import resource, signal, sys, numpy as np
from autovoice import io
from autovoice.errors import ResourceError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with io.Writer(sys.argv[1], 44100, 1) as writer:
        for _ in range(20):
            writer.write(np.random.default_rng(0).uniform(-1, 1, (1, 44100)).astype(np.float32))
except ResourceError as error:
    print("refused:", error)
"""


def test_a_killed_writer_leaves_the_old_file(song: Audio, tmp_path: Path) -> None:
    path = io.write(song, tmp_path / "x.wav")
    before = path.read_bytes()
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"half"
        assert path.read_bytes() == before
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == before


def test_an_exception_leaves_nothing(song: Audio, tmp_path: Path) -> None:
    def interrupted() -> None:
        with io.Writer(tmp_path / "x.flac", 44_100, 2) as writer:
            writer.write(song.samples)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / f"x{suffix}")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("refused:")
    assert "free space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_failure_of_the_last_step_leaves_nothing(
    song: Audio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("autovoice.io.writer.os.fsync", fail)
    with pytest.raises(ResourceError, match="disk gone"):
        io.write(song, tmp_path / "x.wav")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_and_a_file_in_their_way_is_named(song: Audio, tmp_path: Path) -> None:
    path = io.write(song, tmp_path / "a" / "b" / "x.wav")
    assert [p.name for p in path.parent.iterdir()] == ["x.wav"]
    with pytest.raises(ResourceError, match="cannot be written"):
        io.write(song, path / "y.wav")
    with pytest.raises(InputError, match="a folder"):
        io.write(song, tmp_path / "a", format="WAV")


def test_what_is_no_number_or_too_loud_never_reaches_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.asarray([[np.nan, np.inf, -3.0, 1.5, 0.25]], np.float32)
    with caplog.at_level(logging.WARNING):
        back = io.read(io.write(Audio(values, 8_000), tmp_path / "x.wav", subtype="FLOAT"))
    np.testing.assert_array_equal(back.samples, [[0.0, 0.0, -1.0, 1.0, 0.25]])
    assert "4 values" in caplog.text
    assert np.isnan(values[0, 0])


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("x.txt", {}, "suffix '.txt'"),
        ("x", {}, "none"),
        ("x.wav", {"format": "m4a"}, "found 'm4a'"),
        ("x.wav", {"subtype": "VORBIS"}, "found 'VORBIS'"),
    ],
)
def test_formats_that_do_not_exist(
    song: Audio, tmp_path: Path, name: str, options: dict[str, str], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        io.write(song, tmp_path / name, **options)


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 channels, expected 1 to 2 in MP3"):
        io.write(Audio(np.zeros((3, 9), np.float32), 44_100), tmp_path / "x.mp3")
    with pytest.raises(InputError, match="no samples"):
        io.write(Audio(np.zeros((1, 0), np.float32), 44_100), tmp_path / "x.wav")
    with pytest.raises(InputError, match="sample_rate_hz"):
        io.Writer(tmp_path / "x.wav", 0, 1)
    with pytest.raises(InputError, match="outside its"):
        io.Writer(tmp_path / "x.wav", 8_000, 1).write(np.zeros((1, 5), np.float32))
    with (
        pytest.raises(InputError, match=r"expected \[2, n\]"),
        io.Writer(tmp_path / "x.wav", 8_000, 2) as writer,
    ):
        writer.write(np.zeros((1, 5), np.float32))


@pytest.mark.parametrize(
    ("form", "rate_hz", "file_rate_hz"),
    [
        ("MP3", 4_000, 8_000),
        ("MP3", 44_099, 44_100),
        ("MP3", 192_000, 48_000),
        ("OPUS", 16_000, 16_000),
        ("OPUS", 22_050, 24_000),
        ("OPUS", 44_100, 48_000),
    ],
)
def test_a_rate_the_format_lacks_is_replaced(
    tmp_path: Path, form: str, rate_hz: int, file_rate_hz: int
) -> None:
    audio = Audio(np.zeros((1, rate_hz), np.float32), rate_hz)
    info = io.probe(io.write(audio, tmp_path / "x", format=form))
    assert info.sample_rate_hz == file_rate_hz
    assert info.claimed_seconds == pytest.approx(1.0, abs=1e-4)
