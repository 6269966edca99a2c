"""The pitch of a sung phrase: glides, a little too far and back, vibrato, and never quite still.

The shapes are those of "F0 fluctuation" in singing (Saitou, Unoki and Akagi, 2005): overshoot,
vibrato, preparation and fine fluctuation; the sizes are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.speak.score.records import Note

FRAMES_PER_S = 80
MOST_OVERSHOOT_CENTS, OVERSHOOT_SHARE, OVERSHOOT_S = 25.0, 0.08, 0.06
PREPARATION_SHARE, PREPARATION_S = 0.4, 0.05
VIBRATO_AFTER_S, VIBRATO_GROWS_S, VIBRATO_LEAST_S = 0.4, 0.5, 0.7
DRIFT_CENTS, DRIFT_S = 5.0, 0.25
SCOOP_CENTS, SCOOP_S = 60.0, 0.07

Curve = NDArray[np.float64]


@dataclass(frozen=True)
class Expression:
    """How notes are sung.

    Args:
        vibrato_cents: how far it goes to either side; 0 for none.
        vibrato_hz: how often in a second.
        portamento_ms: how long a glide from note to note takes; 0 for steps.
    """

    vibrato_cents: float = 40.0
    vibrato_hz: float = 5.5
    portamento_ms: float = 80.0


def melody(notes: Sequence[Note], times_s: Curve, expression: Expression, seed: int) -> Curve:
    """Return the pitch at some times, as MIDI numbers.

    Args:
        notes: of a phrase, in order; before the first and after the last their pitch goes on.
        times_s: ``[F]``, evenly spaced.
        expression: how they are sung.
        seed: of the drift.

    Shape:
        ``[F]``.
    """
    keys = np.full(len(times_s), notes[0].key, np.float64)
    glide_s = expression.portamento_ms / 1000
    for one, other in pairwise(notes):
        step = other.key - one.key
        if not step:
            continue
        # No longer than both notes allow, and most of it before the beat.
        long_s = min(glide_s, 0.6 * one.seconds, 0.6 * other.seconds)
        keys += step * _glide(times_s - other.start_s, long_s)
        keys += _overshoot(times_s - other.start_s, step, long_s, other.seconds)
        keys -= _preparation(times_s - other.start_s, step, long_s, one.seconds)
    keys -= _scoop(times_s, notes[0], glide_s)
    keys += _vibrato(notes, times_s, expression) / 100
    return keys + _drift(len(times_s), seed) / 100


def _glide(after_s: Curve, long_s: float) -> Curve:
    """Return 0 to 1: three quarters of the glide lie before the beat."""
    if long_s <= 0:
        return (after_s >= 0).astype(np.float64)
    share = np.clip(after_s / long_s + 0.75, 0.0, 1.0)
    return 0.5 - 0.5 * np.cos(np.pi * share)


def _overshoot(after_s: Curve, step: float, long_s: float, note_s: float) -> Curve:
    """Return the way past the note and back, at most 25 cents; none in short notes."""
    if long_s <= 0 or note_s < 4 * OVERSHOOT_S:
        return np.zeros_like(after_s)
    most = min(abs(step) * 100 * OVERSHOOT_SHARE, MOST_OVERSHOOT_CENTS) / 100 * np.sign(step)
    share = (after_s - 0.25 * long_s) / OVERSHOOT_S
    return np.asarray(most * np.maximum(share, 0) * np.exp(1 - np.maximum(share, 0)))


def _preparation(after_s: Curve, step: float, long_s: float, note_s: float) -> Curve:
    """Return the dip the other way before a glide, smaller than the overshoot."""
    if long_s <= 0 or note_s < 4 * PREPARATION_S:
        return np.zeros_like(after_s)
    most = min(abs(step) * 100 * OVERSHOOT_SHARE, MOST_OVERSHOOT_CENTS) * PREPARATION_SHARE
    share = (after_s + 0.75 * long_s) / PREPARATION_S
    bump = np.where((share > -1) & (share < 0), np.sin(np.pi * -share) ** 2, 0.0)
    return np.asarray(most / 100 * np.sign(step) * bump)


def _scoop(times_s: Curve, note: Note, glide_s: float) -> Curve:
    """Return how far below a phrase begins."""
    if glide_s <= 0:
        return np.zeros_like(times_s)
    long_s = min(SCOOP_S, 0.3 * note.seconds)
    share = np.clip((note.start_s + long_s - times_s) / (2 * long_s), 0.0, 1.0)
    return np.asarray(SCOOP_CENTS / 100 * (0.5 - 0.5 * np.cos(np.pi * share)))


def _vibrato(notes: Sequence[Note], times_s: Curve, expression: Expression) -> Curve:
    """Return cents: from 0.4 s into a long note on it grows, and dies with the note."""
    cents = np.zeros_like(times_s)
    if expression.vibrato_cents <= 0:
        return cents
    for note in notes:
        if note.seconds < VIBRATO_LEAST_S:
            continue
        after_s, left_s = times_s - note.start_s, note.end_s - times_s
        depth = np.clip((after_s - VIBRATO_AFTER_S) / VIBRATO_GROWS_S, 0, 1)
        depth = depth * np.clip(left_s / 0.1, 0, 1)
        turns = expression.vibrato_hz * (after_s - VIBRATO_AFTER_S)
        cents += expression.vibrato_cents * depth * np.sin(2 * np.pi * turns)
    return cents


def _drift(frames: int, seed: int) -> Curve:
    """Return a slow wander of about 5 cents."""
    rng = np.random.default_rng(seed)
    wide = DRIFT_S * FRAMES_PER_S / 2
    pad = int(4 * wide)
    slow = ndimage.gaussian_filter1d(rng.standard_normal(frames + 2 * pad), wide)[pad:][:frames]
    return np.asarray(slow * DRIFT_CENTS * np.sqrt(2 * np.sqrt(np.pi) * wide))
