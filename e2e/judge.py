"""The score card of ``autovoice eval``, its networks loaded once for the whole run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autovoice import io
from autovoice.eval.card import Kind
from autovoice.types import FloatArray

if TYPE_CHECKING:
    from autovoice.eval.scorer import Scorer


class CardJudge:
    """Score results as the command line does; nothing is loaded before the first.

    Args:
        cache: what is found out about sources and references is kept there. Of this process and
            run alone; the cards that commands make use the user's cache, whose entries are told
            apart by the version of each measure.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def __call__(
        self,
        output: Path,
        source: Path,
        reference: Path | FloatArray,
        *,
        semitones: float,
        kind: Kind,
        language: str | None = None,
    ) -> dict[str, Any]:
        """Return the score card as ``Card.to_json`` writes it, with its gates."""
        card = self._scorer.card(
            io.read(output),
            io.read(source),
            io.read(reference) if isinstance(reference, Path) else reference,
            kind=kind,
            semitones=semitones,
            language=language,
        )
        return card.to_json()

    @cached_property
    def _scorer(self) -> Scorer:
        from autovoice.eval.cache import Cache
        from autovoice.eval.scorer import Scorer

        return Scorer(cache=Cache(self.cache))
