"""A slow trembling, of pitch or of level, that the source does not have."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, signal

from autovoice.eval.figure import NotApplicable
from autovoice.eval.stress.heard import NEAR_CENTS, Curve, Heard, Marks, envelope_db
from autovoice.eval.world import HOP_S

BAND_HZ = (4.0, 12.0)
WINDOW_S = 1.0
_FRAMES = round(WINDOW_S / HOP_S)
_STEP_FRAMES = 25
_MOST_QUIETER_DB = 40.0


def added_tremor_cents(heard: Heard) -> float:
    """Return the depth of a trembling of the pitch, 4 to 12 times a second, that was added.

    ``d = sign(D) sqrt(2 |D|)``, ``D = P_out - P_wanted``: the power of the pitch in cents between
    4 and 12 Hz, in windows of 1 s (Hann, without their straight line, every 0.25 s) in which both
    are voiced throughout and within 200 cents. A sine that waves by ``d`` either way reads ``d``.

    Returns:
        Cents; 0 when as in the source, positive when it trembles, negative when vibrato was lost.

    Raises:
        NotApplicable: there is no such window.
    """
    good = heard.both & (np.abs(heard.error_cents) <= NEAR_CENTS)
    ours, theirs = (
        1200.0 * np.log2(np.where(good, curve, 1.0)) for curve in (heard.output_hz, heard.wanted_hz)
    )
    return _added(ours, theirs, good, "in which source and output are voiced and less than 200 "
                  "cents apart")  # fmt: skip


def added_tremor_db(heard: Heard) -> float:
    """Return the same of the level in dB (Hann windows of 25 ms).

    Windows count where the source sings throughout, 30 ms at the ends of each stretch left out,
    and the output is at most 40 dB quieter.

    Raises:
        NotApplicable: there is no such window.
    """
    count = len(heard.wanted_hz)
    ours, theirs = (envelope_db(audio, count) for audio in (heard.output, heard.source))
    good = heard.sung & (ours >= theirs - _MOST_QUIETER_DB)
    return _added(ours, theirs, good, "in which the source sings and the output sounds")


def _added(ours: Curve, theirs: Curve, good: Marks, what: str) -> float:
    starts = np.arange(0, len(good) - _FRAMES + 1, _STEP_FRAMES)
    starts = (
        starts[sliding_window_view(good, _FRAMES)[starts].all(axis=1)] if len(starts) else starts
    )
    if not len(starts):
        raise NotApplicable(f"found no stretch of {WINDOW_S:g} s {what}; needs one")
    more = _power(ours, starts) - _power(theirs, starts)
    return float(np.sign(more) * np.sqrt(2.0 * abs(more)))


def _power(curve: Curve, starts: np.ndarray) -> float:
    """Return the mean power between 4 and 12 Hz of windows; a sine of depth 1 has 0.5."""
    parts = sliding_window_view(curve, _FRAMES)[starts]
    window = signal.get_window("hann", _FRAMES)
    spectrum = fft.rfft(signal.detrend(parts, axis=1) * window, axis=1)
    bins_hz = fft.rfftfreq(_FRAMES, HOP_S)
    inside = (bins_hz >= BAND_HZ[0]) & (bins_hz <= BAND_HZ[1])
    power = 2.0 * np.square(np.abs(spectrum[:, inside])).sum(axis=1)
    return float(np.mean(power) / (_FRAMES * np.square(window).sum()))
