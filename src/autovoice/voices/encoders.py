"""The project's own encoders, built when they are first needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autovoice.types import Audio, FloatArray, Pitch
from autovoice.voices.make import BASE_MODEL_SHA256, Encoders


def encoders_on(device: str = "cpu") -> Encoders:
    """Return the encoders that listen to recordings.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.

    Raises:
        WeightsError: on first use, when weights are missing.
    """
    from autovoice import io
    from autovoice.analyse.loudness import level_gain
    from autovoice.analyse.pitch import SwiftF0Tracker
    from autovoice.analyse.speaker import SpeakerEncoder
    from autovoice.convert import StyleEncoder

    pitch = SwiftF0Tracker(device=device)
    speaker = SpeakerEncoder(device=device)
    style = StyleEncoder(device=device)

    def track(samples: FloatArray) -> Pitch:
        return pitch.track(samples)

    def embed(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        return speaker.embed(samples, sample_rate_hz)

    def encode(samples: FloatArray, embedding: FloatArray) -> FloatArray:
        gain = np.float32(level_gain(samples, 24_000))
        return style.encode(samples * gain, embedding)

    def resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
        return io.resample(samples, from_hz, to_hz)

    def read(path: Path) -> Audio:
        return io.read(path)

    return Encoders(
        embedding=embed,
        style=encode,
        pitch=track,
        resample=resample,
        read=read,
        identity=_identity(),
    )


def _identity() -> str:
    """Return what changes whenever a model that comes with AutoVoice does."""
    from autovoice import weights

    bundled = weights.bundled_index().values()
    return " ".join([BASE_MODEL_SHA256, *sorted(file.sha256 for file in bundled)])
