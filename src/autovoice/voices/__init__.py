"""Voice profiles: make, keep, find, import and export."""

from __future__ import annotations

from autovoice.voices.builtin import BUILTIN_FILE, BUILTIN_VOICES, builtin_voice
from autovoice.voices.encoders import encoders_on
from autovoice.voices.file import from_bytes, read_voice, to_bytes, write_voice
from autovoice.voices.make import Encoders, make_voice
from autovoice.voices.names import check_name
from autovoice.voices.profile import Voice, VoiceHeader
from autovoice.voices.resolve import Resolver
from autovoice.voices.store import VoiceStore, data_dir
from autovoice.voices.training import Scores, TrainingRecord, check_base

__all__ = [
    "BUILTIN_FILE",
    "BUILTIN_VOICES",
    "Encoders",
    "Resolver",
    "Scores",
    "TrainingRecord",
    "Voice",
    "VoiceHeader",
    "VoiceStore",
    "builtin_voice",
    "check_base",
    "check_name",
    "data_dir",
    "encoders_on",
    "from_bytes",
    "make_voice",
    "read_voice",
    "to_bytes",
    "write_voice",
]
