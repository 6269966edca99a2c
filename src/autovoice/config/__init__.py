"""Strict settings: unknown keys are errors, every limit is stated once."""

from __future__ import annotations

from autovoice.config.options import (
    ConvertOptions,
    Device,
    Semitones,
    SingOptions,
    SpeakOptions,
    options_from,
    sing_options_from,
    speak_options_from,
)
from autovoice.config.presets import PRESETS, Preset, PresetName, preset
from autovoice.config.units import format_bytes, parse_bytes

__all__ = [
    "PRESETS",
    "ConvertOptions",
    "Device",
    "Preset",
    "PresetName",
    "Semitones",
    "SingOptions",
    "SpeakOptions",
    "format_bytes",
    "options_from",
    "parse_bytes",
    "preset",
    "sing_options_from",
    "speak_options_from",
]
