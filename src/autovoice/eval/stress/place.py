"""A short sound that is hard to convert."""

from __future__ import annotations

from dataclasses import dataclass

from autovoice.types import Audio


@dataclass(frozen=True, eq=False)
class Place:
    """A source of the stress set.

    Args:
        name: unique, such as ``held_880`` or ``high/NAME`` for a cut out of a recording.
        kind: what it asks for, such as ``held`` or ``high``.
        audio: the sound.
        says: what it is, in words; of a cut also where it is in the recording.
    """

    name: str
    kind: str
    audio: Audio
    says: str
