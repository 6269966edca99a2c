"""Live conversion: sliding windows over a stream, joined without seams."""

from __future__ import annotations

from autovoice.engine.live.options import LiveOptions
from autovoice.engine.live.session import LiveSession
from autovoice.engine.live.stats import LiveStats

__all__ = ["LiveOptions", "LiveSession", "LiveStats"]
