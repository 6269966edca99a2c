"""A voice is made of ten seconds, stored, passed on, and sings a batch: all through commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autovoice import Voice, io
from autovoice.types import Audio

pytestmark = pytest.mark.e2e
Run = Callable[..., Any]
Cut = Callable[[Audio, float, float], Audio]
CONSENT = "I agree to be converted."


@pytest.fixture(scope="module")
def passed_on(
    autovoice: Run, demo_song: Audio, cut: Cut, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a voice, write it to a file, forget it, and take it back under another name."""
    folder = tmp_path_factory.mktemp("voices")
    recording = io.write(cut(demo_song, 0, 10), folder / "singer.flac")
    file = folder / "singer.voice"
    said = autovoice("voice", "create", "singer", recording, "--consent", CONSENT)
    assert said.startswith("singer: made from 10.0 s in 1 recording(s)")
    autovoice("voice", "export", "singer", file)
    autovoice("voice", "delete", "singer", "--yes")
    autovoice("voice", "import", file, "--name", "guest")
    return file


def test_the_record_travels_with_the_voice(autovoice: Run, passed_on: Path) -> None:
    listed = autovoice("voice", "list", "--json")
    assert [one["name"] for one in listed["stored"]] == ["guest"]
    record = autovoice("voice", "show", "guest", "--json")
    assert record["consent"] == CONSENT
    assert record["seconds_used"] == pytest.approx(10.0, abs=0.01)
    assert 60 < record["f0_median_hz"] < 1_000
    voice = Voice.load(passed_on)
    assert np.linalg.norm(voice.embedding) == pytest.approx(1.0, abs=1e-3)


def test_the_voice_sings_a_batch_in_the_format_of_each_song(
    autovoice: Run, passed_on: Path, demo_song: Audio, cut: Cut, tmp_path: Path
) -> None:
    one = io.write(cut(demo_song, 2, 5), tmp_path / "one.flac")
    mono = cut(demo_song, 5, 7)
    two = io.write(Audio(mono.mono()[None], mono.sample_rate_hz), tmp_path / "two.wav")
    found = autovoice(
        "convert", one, two, "--voice", "guest", "-o", tmp_path / "covers", "--device", "cpu",
        "--json",
    )  # fmt: skip
    assert found["failed"] == []
    assert [result["voice"] for result in found["results"]] == ["guest", "guest"]
    for song, result in zip((one, two), found["results"], strict=True):
        before, cover = io.read(song), io.read(tmp_path / "covers" / song.name)
        assert result["output"] == str(tmp_path / "covers" / song.name)
        assert cover.samples.shape == before.samples.shape
        assert np.isfinite(cover.samples).all()
        assert 0.01 < np.abs(cover.samples).max() <= 1
        # The network stays loaded from the first song to the second.
    assert found["results"][1]["timings"].get("load", 0) < 0.5
