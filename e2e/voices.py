"""The embeddings of voices that have no recording."""

from __future__ import annotations

from functools import cache

from autovoice.types import FloatArray


@cache
def embedding(voice: str) -> FloatArray:
    """Return the speaker embedding of a built-in voice, ``[256]``."""
    from autovoice.voices.builtin import builtin_voice

    return builtin_voice(voice).embedding
