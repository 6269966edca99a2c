"""Octave jumps."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import Heard, enough

NEAR_CENTS = 100.0


def octave_jump_share(heard: Heard) -> float:
    """Return the share of frames that are one octave or more off.

    A frame of 10 ms counts where its pitch is within 100 cents of a whole number of octaves, not
    0, above or below the wanted one; looked at are frames that are voiced in both.

    Returns:
        0 where every note is in its octave, 1 where none is.

    Raises:
        NotApplicable: fewer than 20 frames are voiced in both.
    """
    both = enough(heard.both, "frames voiced in source and output")
    octaves = heard.error_cents[both] / 1200.0
    nearest = np.round(octaves)
    jumped = (nearest != 0) & (np.abs(octaves - nearest) * 1200.0 <= NEAR_CENTS)
    return float(np.mean(jumped))
