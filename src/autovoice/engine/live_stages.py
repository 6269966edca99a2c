"""What only live sessions need of the stages, and where it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autovoice.types import Curve, FloatArray, Pitch, Speaker


class RunningLevel(Protocol):
    """Follow the level of a voice."""

    def push(self, samples: FloatArray) -> float:
        """Take in ``[n]`` and return the gain that brings the voice to the model's level."""


class Sound(Protocol):
    """What came of a window."""

    @property
    def samples(self) -> FloatArray:
        """``[T]`` at 24 kHz."""

    @property
    def cycles(self) -> NDArray[np.float64]:
        """``[T]`` phase of the fundamental, in turns."""


class Renderer(Protocol):
    """Make sound of a window so that two windows agree where they overlap."""

    def forget(self) -> None:
        """Begin anew, with another voice."""

    def render(
        self,
        vocoder: Any,
        features: Any,
        speaker: Speaker,
        *,
        noise: FloatArray,
        new: int,
        anchor: Any,
        samples: int | None,
    ) -> Sound:
        """Return the sound; ``anchor`` is what ``Builders.live.anchor`` makes, or None."""


class Colouring(Protocol):
    """Bring the converted sound's colour onto the source, window by window."""

    def forget(self) -> None:
        """Begin anew, with another voice."""

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        *,
        gain: float,
        settled: slice,
    ) -> FloatArray:
        """Return ``[T]`` at the level of the source."""


def _level(sample_rate_hz: int, memory_s: float) -> RunningLevel:
    from autovoice.analyse.running_gain import RunningGain

    return RunningGain(sample_rate_hz, memory_s)


def _energy(samples: FloatArray, gain: float) -> Curve:
    from autovoice.analyse.loudness import at_level, decoder_energy

    return at_level(decoder_energy(samples), gain)


def _renderer() -> Renderer:
    from autovoice.vocode.live import LiveVocoder

    return LiveVocoder()


def _anchor(sample: int, cycles: float) -> Any:
    from autovoice.vocode.live import Anchor

    return Anchor(sample, cycles)


def _colouring(device: str) -> Colouring:
    from autovoice.vocode.live_carry import LiveCarry

    return LiveCarry(device)


@dataclass(frozen=True)
class LiveBuilders:
    """How the live stages are made; the networks are those of ``Builders``."""

    level: Callable[[int, float], RunningLevel] = _level
    energy: Callable[[FloatArray, float], Curve] = _energy
    renderer: Callable[[], Renderer] = _renderer
    anchor: Callable[[int, float], Any] = _anchor
    colouring: Callable[[str], Colouring] = _colouring
