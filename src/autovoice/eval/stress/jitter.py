"""Pitch that trembles from frame to frame."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import NEAR_CENTS, Curve, Heard, Marks, enough


def added_jitter_cents(heard: Heard) -> float:
    """Return how much more the pitch trembles than that of the source.

    ``mean |c_k - (c_k-1 + c_k+1) / 2|`` with ``c`` in cents every 10 ms, of the output less that
    of the wanted pitch. Looked at are frames where three in a row are voiced in
    both and within 200 cents of the wanted pitch. Vibrato moves both alike.

    Returns:
        Cents; 0 when as steady, positive when it trembles, negative when it is smoother.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    good = heard.both & (np.abs(heard.error_cents) <= NEAR_CENTS)
    rows = enough(in_rows(good), "frames in rows of three that are voiced in source and output")
    ours, theirs = (
        1200.0 * np.log2(np.where(good, curve, 1.0)) for curve in (heard.output_hz, heard.wanted_hz)
    )
    return bend(ours, rows) - bend(theirs, rows)


def in_rows(good: Marks) -> Marks:
    """Mark frames that are good and whose neighbours are, ``[F] -> [F]``."""
    rows = np.zeros_like(good)
    rows[1:-1] = good[:-2] & good[1:-1] & good[2:]
    return rows


def bend(curve: Curve, frames: Marks) -> float:
    """Return the mean distance of frames from the middle between their neighbours."""
    off = np.zeros_like(curve)
    off[1:-1] = np.abs(curve[1:-1] - 0.5 * (curve[:-2] + curve[2:]))
    return float(np.mean(off[frames]))
