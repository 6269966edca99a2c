"""What a separator is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from autovoice.types import Audio, Stems

Progress = Callable[[float], None]


class Separator(Protocol):
    """Take a mix apart into vocals and backing."""

    def separate(self, audio: Audio, *, progress: Progress | None = None) -> Stems:
        """Return the stems of a mix, at its rate, length and channel count.

        ``vocals + backing`` equals the mix to 1e-6 of its peak.

        Args:
            audio: the mix, any rate, length and channel count.
            progress: called with the share done, rising to 1.0.

        Raises:
            InputError: the audio is not finite.
            ResourceError: memory ran out on every device that was allowed.
        """
        ...
