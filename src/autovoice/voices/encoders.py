"""The project's own encoders, each built when it is first used."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from autovoice.types import Audio, FloatArray, Pitch
from autovoice.voices.make import BASE_MODEL_SHA256, Encoders

if TYPE_CHECKING:
    from autovoice.analyse.pitch import SwiftF0Tracker
    from autovoice.analyse.speaker import SpeakerEncoder
    from autovoice.convert import StyleEncoder
    from autovoice.nn.stage import NetworkStage, Scheduler

Stage = TypeVar("Stage", bound="NetworkStage")
MODEL_HZ = 24_000


def encoders_on(device: str = "cpu") -> Encoders:
    """Return the encoders that listen to recordings.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.

    Raises:
        WeightsError: on first use, when weights are missing.
    """
    listeners = _Listeners(device)
    return Encoders(
        embedding=listeners.embed,
        style=listeners.encode,
        pitch=listeners.track,
        resample=_resample,
        read=_read,
        identity=_identity(),
        schedule=listeners.schedule,
    )


@dataclass
class _Listeners:
    """The networks, loaded on demand, once, whoever asks first."""

    device: str
    _scheduler: Scheduler | None = field(default=None, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    @cached_property
    def tracker(self) -> SwiftF0Tracker:
        from autovoice.analyse.pitch import SwiftF0Tracker

        return self._scheduled(SwiftF0Tracker(device=self.device))

    @cached_property
    def speaker(self) -> SpeakerEncoder:
        from autovoice.analyse.speaker import SpeakerEncoder

        return self._scheduled(SpeakerEncoder(device=self.device))

    @cached_property
    def style(self) -> StyleEncoder:
        from autovoice.convert import StyleEncoder

        return self._scheduled(StyleEncoder(device=self.device))

    def track(self, samples: FloatArray) -> Pitch:
        with self._built():
            tracker = self.tracker
        return tracker.track(samples)

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        with self._built():
            speaker = self.speaker
        return speaker.embed(samples, sample_rate_hz)

    def encode(self, samples: FloatArray, embedding: FloatArray) -> FloatArray:
        from autovoice.analyse.loudness import level_gain

        gain = np.float32(level_gain(samples, MODEL_HZ))
        with self._built():
            style = self.style
        return style.encode(samples * gain, embedding)

    def schedule(self, scheduler: Scheduler | None) -> None:
        """Let networks that are not built yet run when a scheduler says."""
        self._scheduler = scheduler

    def _scheduled(self, stage: Stage) -> Stage:
        stage.scheduler = self._scheduler
        stage.exact = True  # a voice is heard the same, whatever a call's precision
        return stage

    @contextlib.contextmanager
    def _built(self) -> Iterator[None]:
        """Build a network in here: one at a time, without touching the caller's chance."""
        from autovoice.nn.stage import own_chance

        with self._lock, own_chance():
            yield


def _resample(samples: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    from autovoice import io

    return io.resample(samples, from_hz, to_hz)


def _read(path: Path) -> Audio:
    from autovoice import io

    return io.read(path)


def _identity() -> str:
    """Return what changes whenever a model that comes with AutoVoice does."""
    from autovoice import weights

    bundled = weights.bundled_index().values()
    return " ".join([BASE_MODEL_SHA256, *sorted(file.sha256 for file in bundled)])
