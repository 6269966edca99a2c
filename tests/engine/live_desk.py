"""Stand-ins for live sessions: local in time, so that each sample out can be told."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from standins import builders

from autovoice.engine.live_stages import LiveBuilders
from autovoice.engine.stages import Builders, Stages
from autovoice.types import Curve, FloatArray, Pitch, Speaker


@dataclass(frozen=True, eq=False)
class Made:
    """What a renderer returns."""

    samples: FloatArray
    cycles: FloatArray


class Halving:
    """The sound that is heard, half as loud; a voice of a low median turns it upside down."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.noises: list[FloatArray] = []
        self.anchors: list[Any] = []
        # Sessions share this stand-in: each thread has its own window.
        self._local = threading.local()

    @property
    def window(self) -> FloatArray:
        """What the thread's session heard last."""
        found: FloatArray = getattr(self._local, "window", np.zeros(0, np.float32))
        return found

    @window.setter
    def window(self, samples: FloatArray) -> None:
        self._local.window = samples

    def forget(self) -> None:
        self.anchors.clear()

    def render(
        self, vocoder: Any, features: Any, speaker: Speaker, *, noise: FloatArray, new: int,
        anchor: Any, samples: int | None,
    ) -> Made:  # fmt: skip
        self.calls.append(len(noise))
        self.noises.append(noise.copy())
        self.anchors.append(anchor)
        sign = -0.5 if speaker.f0_median_hz < 100 else 0.5
        made = (self.window * np.float32(sign)).astype(np.float32)
        return Made(made, np.arange(len(noise)) / 100 % 1.0)


class Unity:
    """A level that is right already."""

    def push(self, samples: FloatArray) -> float:
        return 1.0


class Uncoloured:
    """The converted sound as it is."""

    def forget(self) -> None:
        self.forgotten = True

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        *,
        gain: float,
        settled: slice,
    ) -> FloatArray:
        return converted


def always(samples: FloatArray, sample_rate_hz: int, pitch: Pitch) -> Curve:
    return Curve(np.ones(max(1, len(samples) // 160), np.float32), 0.01)


def live_builders(halving: Halving | None = None, **others: Any) -> Builders:
    """Return stand-ins whose output is half of what comes in."""
    kept = halving or Halving()

    def energy(samples: FloatArray, gain: float) -> Curve:
        kept.window = samples.copy()
        return Curve(np.zeros(len(samples) // 300, np.float32), 1 / 80)

    live = LiveBuilders(
        level=lambda rate, memory_s: Unity(),
        energy=energy,
        renderer=lambda: kept,
        anchor=lambda sample, cycles: (sample, cycles),
        colouring=lambda device: Uncoloured(),
    )
    return builders(live=live, activity=always, **others)


def live_stages(halving: Halving | None = None) -> Stages:
    """Return stages of stand-ins."""
    return Stages("cpu", live_builders(halving))
