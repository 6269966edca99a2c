"""The power of a note itself: that of its harmonics, without what lies between and below them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from autovoice.eval.stress.heard import Curve, Marks
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

# A window of eight periods has eight bins from harmonic to harmonic; under a Hann window a harmonic
# fills three of them, and five when it is up to a semitone off.
PERIODS = 8
_HALF_BINS = 2
_BETWEEN_BINS = PERIODS - 2 * _HALF_BINS - 1


@dataclass(frozen=True, eq=False)
class NotePower:
    """Powers of frames, ``[K]`` each, in squared full scale.

    Args:
        note: of the harmonics; as noise is taken out by its mean, a little under 0 where there is
            nothing else.
        under: under 0.7 of the pitch.
        whole: of everything.
    """

    note: Curve
    under: Curve
    whole: Curve


def note_power(audio: Audio, f0_hz: Curve, frames: Marks) -> NotePower:
    """Measure the marked frames.

    Of a Hann window of eight periods the bins within a quarter of the pitch of a harmonic count,
    less what noise would put there by the level of the bins between them.

    Args:
        audio: mono.
        f0_hz, frames: ``[F]`` each, every 10 ms; the pitch of every marked frame is over 0.

    Returns:
        Powers of the marked frames, in their order.
    """
    samples, rate_hz = audio.mono().astype(np.float64), audio.sample_rate_hz
    found = np.zeros((3, int(frames.sum())))
    for column, place in enumerate(np.flatnonzero(frames)):
        width = round(PERIODS * rate_hz / float(f0_hz[place]))
        first = round(place * HOP_S * rate_hz) - width // 2
        part = samples[max(0, first) : first + width]
        part = np.pad(part, (max(0, -first), width - len(part) - max(0, -first)))
        found[:, column] = _powers(part)
    return NotePower(*found)


def _powers(part: NDArray[np.float64]) -> tuple[float, float, float]:
    window = signal.get_window("hann", len(part))
    power = np.square(np.abs(fft.rfft(part * window)))
    # By Parseval, so that a sine of amplitude 1 has a power of 0.5.
    power *= 2.0 / (len(part) * np.square(window).sum())
    first = PERIODS - _HALF_BINS
    count = (len(power) - first) // PERIODS
    rows = power[first : first + count * PERIODS].reshape(count, PERIODS)
    inside = rows[:, : 2 * _HALF_BINS + 1].sum(axis=1)
    between = rows[:, 2 * _HALF_BINS + 1 :].sum(axis=1)
    noise = between * (2 * _HALF_BINS + 1) / _BETWEEN_BINS
    note = float((inside - noise).sum())
    return note, float(power[:first].sum()), float(power.sum())
