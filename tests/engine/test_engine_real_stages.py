"""The pipeline on the project's own separator, trackers, recogniser and mixer.

The converter and the vocoder stand in here: a sine that follows the melody tells whether pitch,
pieces and mix meet in time. The voice model has its own end-to-end tests.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standins import Carrier, builders, encoders, voice

from autovoice import io, weights
from autovoice.engine import Builders, Engine
from autovoice.engine.stages import Stages
from autovoice.types import Audio, Speaker
from autovoice.voices import encoders_on
from autovoice.voices.make import Encoders

pytestmark = pytest.mark.e2e


class Hum:
    """Hum the melody."""

    def synthesise(self, features: Any, speaker: Speaker, *, seed: int = 0) -> Audio:
        pitch = features.pitch
        at_s = np.arange(round(features.seconds * 24_000)) / 24_000
        frame = (at_s - pitch.offset_s) / pitch.hop_s
        f0_hz = np.interp(frame, np.arange(len(pitch.f0_hz)), pitch.f0_hz)
        sound = 0.2 * np.sin(2 * np.pi * np.cumsum(f0_hz) / 24_000) * (f0_hz > 50)
        return Audio(sound.astype(np.float32)[None], 24_000)


@pytest.fixture(scope="module")
def demo() -> Audio:
    audio = io.read(weights.file("demo-song", "audio_example.mp3"))
    cut = slice(2 * audio.sample_rate_hz, 6 * audio.sample_rate_hz)
    return Audio(np.ascontiguousarray(audio.samples[:, cut]), audio.sample_rate_hz)


def test_the_melody_of_a_mixed_song_is_hummed_in_place(tmp_path: Path, demo: Audio) -> None:
    real = Builders(
        converter=lambda device: Carrier(),
        vocoder=lambda device: Hum(),
        fit=builders().fit,
        encoders=encoders,
    )
    engine = Engine("cpu", data_dir=tmp_path, builders=real)
    result = engine.convert(demo, voice(), preset="fast")
    assert result.audio.samples.shape == demo.samples.shape
    assert np.abs(result.audio.samples).max() <= 1.0
    np.testing.assert_allclose(
        result.stems.vocals.samples + result.stems.backing.samples, demo.samples, atol=1e-5
    )

    from autovoice.analyse.pitch import SwiftF0Tracker

    tracker = SwiftF0Tracker()
    hummed, sung = (
        tracker.track(io.resample(stem.mono()[None], stem.sample_rate_hz, 16_000)[0]).f0_hz
        for stem in (result.stems.converted, result.stems.vocals)
    )
    both = (hummed > 0) & (sung > 0)
    assert both.mean() > 0.3
    cents = np.abs(1200 * np.log2(hummed[both] / sung[both]))
    assert np.median(cents) < 20


def test_what_listens_runs_when_the_devices_scheduler_says() -> None:
    asked: list[object] = []

    def made(_device: str) -> Encoders:
        return replace(encoders_on("cpu"), schedule=asked.append)

    for device, told in (("cpu", []), ("meta", ["the scheduler"])):
        stages = Stages(device, Builders(encoders=made))
        stages.scheduler = "the scheduler"  # type: ignore[assignment]
        assert stages.encoders.schedule is not None
        assert asked == told
