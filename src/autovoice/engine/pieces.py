"""Where converted pieces may be kept, so that work that was broken off need not be done again."""

from __future__ import annotations

from typing import Protocol

from autovoice.types import FloatArray


class Pieces(Protocol):
    """Keeps the pieces of one conversion: one song, one voice, one set of options."""

    def expect(self, total: int) -> None:
        """Hear how many pieces there will be; again when they had to be made shorter."""
        ...

    def load(self, name: str) -> FloatArray | None:
        """Return a piece that was kept, ``[T]``; None where there is none."""
        ...

    def save(self, name: str, samples: FloatArray) -> None:
        """Keep a piece, ``[T]``."""
        ...
