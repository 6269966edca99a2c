"""What stands between the networks, as tensors on their device, and where it is built.

On the CPU there is none of it: the stages of ``stages.Builders`` do the same there, and do it for
songs of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from autovoice.types import Audio, Curve, FloatArray, Pitch, Stems

T = TypeVar("T")


class Mixed(Protocol):
    """A finished mix, and the new vocal alone as it stands in it."""

    @property
    def mix(self) -> Audio:
        """The mix, shaped like the song."""

    @property
    def vocal(self) -> Audio:
        """The vocal, shaped like the song."""


class Mixer(Protocol):
    """Put the new vocal where the old one was."""

    def fits(self, converted: Audio, stems: Stems) -> bool:
        """Tell whether it can be mixed so."""

    def mixdown(self, converted: Audio, stems: Stems) -> Mixed:
        """Return the mix and the vocal alone."""


class Heard(Protocol):
    """What was found in a vocal."""

    @property
    def at_16k(self) -> FloatArray:
        """``[1600 N]``, mono, of ``N`` ticks of 100 ms."""

    @property
    def at_24k(self) -> FloatArray:
        """``[2400 N]``, mono."""

    @property
    def pitch(self) -> Pitch:
        """The melody."""

    @property
    def energy(self) -> Curve:
        """The decoder's energy."""

    @property
    def activity(self) -> Curve:
        """Where somebody is heard."""

    @property
    def gain(self) -> float:
        """What brings it to the level at which the voice model hears."""


class Hearing(Protocol):
    """Find melody, loudness and activity of a vocal."""

    def fits(self, vocals: Audio) -> bool:
        """Tell whether it can be heard so."""

    def hear(self, vocals: Audio, ticks: int) -> Heard:
        """Hear a vocal of so many ticks, rounded up."""


class Carry(Protocol):
    """Bring the converted vocal's colour onto the source, both ``[T]`` at 24 kHz."""

    def fits(self, source: FloatArray) -> bool:
        """Tell whether it can be done so."""

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        gain: float,
        nearness: float,
    ) -> FloatArray:
        """Return ``[T]``; ``nearness`` is the cosine of the two voices' embeddings."""


def _hearing(device: str) -> Hearing:
    from autovoice.analyse.resident import Hearing as SwiftHearing

    return SwiftHearing(device=device)


def _carry(device: str) -> Carry:
    from autovoice.vocode.resident_carry import ResidentCarry

    return ResidentCarry(device=device)


def _mixer(device: str) -> Mixer:
    from autovoice.mix.resident import ResidentMixer

    return ResidentMixer(device=device)


def _off_the_cpu(build: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda device: None if device == "cpu" else build(device)


@dataclass(frozen=True)
class ResidentBuilders:
    """How each is made from a device; None where the plain stages do it."""

    hearing: Callable[[str], Hearing | None] = _off_the_cpu(_hearing)
    carry: Callable[[str], Carry | None] = _off_the_cpu(_carry)
    mixer: Callable[[str], Mixer | None] = _off_the_cpu(_mixer)


# On the CPU too, for tests and measurements.
EVERYWHERE = ResidentBuilders(_hearing, _carry, _mixer)


@dataclass(frozen=True)
class Resident:
    """What is there on a device."""

    hearing: Hearing | None
    carry: Carry | None
    mixer: Mixer | None
