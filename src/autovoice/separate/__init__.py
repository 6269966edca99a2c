"""Separate a mix into vocals and backing.

``Separator`` is the protocol; ``separate.spleeter.Spleeter`` and ``separate.identity.Identity``
are the methods. The methods are imported from their own files, so that a method's dependencies
load only where it is used.
"""

from __future__ import annotations

from autovoice.separate.base import Progress, Separator

__all__ = ["Progress", "Separator"]
