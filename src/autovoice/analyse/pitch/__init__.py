"""Pitch: trackers, the voicing decision, octave repair, other frame grids."""

from autovoice.analyse.pitch.base import PitchTracker
from autovoice.analyse.pitch.fcpe import FcpeTracker
from autovoice.analyse.pitch.grid import resample_pitch
from autovoice.analyse.pitch.swift_f0 import SwiftF0Tracker
from autovoice.analyse.pitch.voicing import VoicingRules

__all__ = ["FcpeTracker", "PitchTracker", "SwiftF0Tracker", "VoicingRules", "resample_pitch"]
