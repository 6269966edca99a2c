"""What stands between the networks, as tensors on their device, and where it is built.

On the CPU there is none of it: the stages of ``stages.Builders`` do the same there, and do it for
songs of any length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autovoice.types import Audio, Stems


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


def _mixer(device: str) -> Mixer | None:
    if device == "cpu":
        return None
    from autovoice.mix.resident import ResidentMixer

    return ResidentMixer(device=device)


@dataclass(frozen=True)
class ResidentBuilders:
    """How each is made from a device; None where the plain stages do it."""

    mixer: Callable[[str], Mixer | None] = _mixer


@dataclass(frozen=True)
class Resident:
    """What is there on a device."""

    mixer: Mixer | None
