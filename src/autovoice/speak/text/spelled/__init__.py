"""Languages whose spelling tells how they sound: Spanish, Italian, Portuguese, French."""

from __future__ import annotations

from autovoice.speak.text.spelled.spelling import SPELLED, Spelling, spelled

__all__ = ["SPELLED", "Spelling", "spelled"]
