"""The engine: the one room that knows the order of the stages."""

from __future__ import annotations

from autovoice.engine.engine import Engine
from autovoice.engine.live import LiveOptions, LiveSession, LiveStats
from autovoice.engine.load import Song
from autovoice.engine.pool import EnginePool
from autovoice.engine.progress import Progress
from autovoice.engine.results import Conversion, ConversionStems, Performance, Speech
from autovoice.engine.stages import Builders
from autovoice.engine.talk import Talk, Text
from autovoice.errors import Cancelled

__all__ = [
    "Builders",
    "Cancelled",
    "Conversion",
    "ConversionStems",
    "Engine",
    "EnginePool",
    "LiveOptions",
    "LiveSession",
    "LiveStats",
    "Performance",
    "Progress",
    "Song",
    "Speech",
    "Talk",
    "Text",
]
