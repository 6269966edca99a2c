"""The demo song through the command line, on the real weights: files, numbers, contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from autovoice.types import Audio, FloatArray, ScoreCard

pytestmark = pytest.mark.e2e
STEMS = ("vocals", "backing", "converted")
# Two stems are rounded to 24 bits, each by at most half a step; floats add the rest.
ROUNDING = 2.0**-23 + 1e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def result(autovoice: Callable[..., Any], folder: Path) -> dict[str, Any]:
    """Convert once; that stdout is a single JSON object is what reading it asserts."""
    found: dict[str, Any] = autovoice(
        "convert", "demo", "--voice", "kumo", "-o", folder / "cover.wav", "--device", "cpu",
        "--stems", folder / "stems", "--report", folder, "--json",
    )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def sounds(result: dict[str, Any], folder: Path) -> dict[str, FloatArray]:
    """Return cover and stems, ``[C, T]``, as another program reads them."""
    paths = {"cover": folder / "cover.wav"} | {n: folder / "stems" / f"{n}.wav" for n in STEMS}
    found = {}
    for name, path in paths.items():
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate_hz == 44_100
        found[name] = np.ascontiguousarray(samples.T)
    return found


def test_the_object_has_every_field_of_the_contract(
    result: dict[str, Any], folder: Path, demo_song: Audio
) -> None:
    assert result["output"] == str(folder / "cover.wav")
    assert result["seconds"] == pytest.approx(demo_song.seconds)
    assert (result["voice"], result["device"]) == ("kumo", "cpu")
    assert result["semitones"] % 12 == 0
    assert abs(result["semitones"]) <= 24
    assert set(result["score"]) == set(ScoreCard.__dataclass_fields__)
    assert result["stems"] == {name: str(folder / "stems" / f"{name}.wav") for name in STEMS}
    stages = {"read", "separate", "pitch", "words", "loudness", "convert", "vocode", "mix"}
    timings = result["timings"]
    assert stages | {"load", "total", "score"} == set(timings)
    assert all(seconds >= 0 for seconds in timings.values())
    assert sum(timings[stage] for stage in [*stages, "load"]) <= timings["total"] * 1.01


def test_every_file_is_as_long_as_the_song_finite_and_within_range(
    sounds: dict[str, FloatArray], demo_song: Audio
) -> None:
    for name, samples in sounds.items():
        assert samples.shape == demo_song.samples.shape, name
        assert np.isfinite(samples).all(), name
        assert 0.01 < np.abs(samples).max() <= 1.0, name


def test_vocals_and_backing_are_the_song(sounds: dict[str, FloatArray], demo_song: Audio) -> None:
    """Where a stem alone goes beyond full scale, a file cannot hold it: those samples are few."""
    held = (np.abs(sounds["vocals"]) < 0.999) & (np.abs(sounds["backing"]) < 0.999)
    assert held.mean() > 0.9999
    error = np.abs(sounds["vocals"] + sounds["backing"] - demo_song.samples)[held]
    assert error.max() <= ROUNDING


def test_the_cover_is_the_new_vocal_over_the_same_band(sounds: dict[str, FloatArray]) -> None:
    """The limiter turns loud moments down; beyond that the parts add up."""
    together = sounds["converted"] + sounds["backing"]
    assert float(np.corrcoef(sounds["cover"].ravel(), together.ravel())[0, 1]) > 0.98
    gain = float(np.std(sounds["cover"]) / np.std(together))
    assert 0.7 < gain < 1.001
    # The old singer is gone: what was added to the band is not the vocal that was taken out.
    old, new = sounds["vocals"].ravel(), sounds["converted"].ravel()
    assert abs(float(np.corrcoef(old, new)[0, 1])) < 0.5


def test_stereo_stays_stereo(sounds: dict[str, FloatArray]) -> None:
    """The difference of the channels is that of the band and the vocal, not lost, not new."""
    side = {name: samples[0] - samples[1] for name, samples in sounds.items()}
    assert float(np.std(side["cover"])) > 0.5 * float(np.std(side["backing"])) > 1e-3
    wanted = side["converted"] + side["backing"]
    assert float(np.corrcoef(side["cover"], wanted)[0, 1]) > 0.99


def test_the_melody_is_kept_and_the_voice_moves_to_the_target(result: dict[str, Any]) -> None:
    score = result["score"]
    assert score["length_error_samples"] == 0
    assert score["pitch_error_cents"] < 50
    assert score["pitch_within_50_cents"] > 0.5
    assert score["similarity_target"] > score["similarity_floor"]


def test_the_report_is_the_same_object(result: dict[str, Any], folder: Path) -> None:
    import json

    assert json.loads((folder / "demo.json").read_text(encoding="utf-8")) == result
