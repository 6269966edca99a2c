"""Notes and noises in time, and the sound that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autovoice.eval.stress.noises import hiss
from autovoice.eval.stress.tones import RATE_HZ, Wave, sung
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

LEVEL_DB = -20.0
_FADE_S = 0.015


@dataclass(frozen=True)
class Note:
    """Something sung.

    Args:
        start_s, end_s: when.
        from_hz: pitch at the start.
        to_hz: pitch at the end, reached evenly in semitones; None for the same.
        vowel: one of ``tones.VOWELS``.
        level_db: RMS, dB to full scale. Default -20.
        tilt_db: fall of the harmonics per octave, as in ``tones.sung``.
        vibrato_hz, vibrato_cents: its rate, and how far it goes either way. Default: none.
    """

    start_s: float
    end_s: float
    from_hz: float
    to_hz: float | None = None
    vowel: str = "a"
    level_db: float = LEVEL_DB
    tilt_db: float = -6.0
    vibrato_hz: float = 5.5
    vibrato_cents: float = 0.0

    def f0_hz(self, since_s: Wave) -> Wave:
        """Return the pitch so many seconds after the start, Hz."""
        ratio = (self.to_hz or self.from_hz) / self.from_hz
        octaves = np.log2(ratio) * since_s / (self.end_s - self.start_s)
        waving = np.sin(2 * np.pi * self.vibrato_hz * since_s) * self.vibrato_cents / 1200.0
        pitch: Wave = self.from_hz * np.exp2(octaves + waving)
        return pitch


@dataclass(frozen=True)
class Noise:
    """Something without pitch: when, which of ``noises.SOUNDS``, and its RMS in dB."""

    start_s: float
    end_s: float
    sound: str
    level_db: float


Event = Note | Noise


def perform(events: Sequence[Event], seconds: float) -> Audio:
    """Make the sound of a score: every event fades in and out within 15 ms, the rest is silence.

    Args:
        events: in any order; those at the same time are added. All lie within ``seconds``.
        seconds: length.

    Returns:
        Mono at 24 kHz; the same score gives the same samples.
    """
    mixed = np.zeros(round(seconds * RATE_HZ))
    for number, event in enumerate(events):
        first, last = (round(place_s * RATE_HZ) for place_s in (event.start_s, event.end_s))
        length = last - first
        if isinstance(event, Note):
            f0_hz = event.f0_hz(np.arange(length) / RATE_HZ)
            wave = sung(f0_hz, event.vowel, event.tilt_db)
        else:
            wave = hiss(length, event.sound, seed=number)
        mixed[first:last] += 10.0 ** (event.level_db / 20.0) * _faded(wave)
    return Audio(mixed.astype(np.float32)[None], RATE_HZ)


def pitch_of(events: Sequence[Event], seconds: float) -> Wave:
    """Return the pitch that a score asks for every 10 ms, ``[floor(100 * seconds) + 1]``.

    0 where nothing is sung; frame ``k`` is at ``k / 100`` s, as in the curves of ``harvest``.
    """
    times_s: Wave = np.arange(int(seconds / HOP_S + 1e-9) + 1, dtype=np.float64) * HOP_S
    pitch = np.zeros(len(times_s))
    for event in events:
        if isinstance(event, Note):
            inside = (times_s >= event.start_s) & (times_s < event.end_s)
            pitch[inside] = event.f0_hz(times_s[inside] - event.start_s)
    return pitch


def _faded(wave: Wave) -> Wave:
    width = min(round(_FADE_S * RATE_HZ), len(wave) // 2)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / width)
    wave[:width] *= rise
    wave[len(wave) - width :] *= rise[::-1]
    return wave
