"""High notes that went mute."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import Heard, enough
from autovoice.eval.stress.kept import note_powers

HIGH_HZ = 400.0
MUTED_DB = 20.0


def muted_high_share(heard: Heard) -> float:
    """Return the share of high frames in which the note is 20 dB or more under the source's.

    High is a wanted pitch from 400 Hz up; 30 ms at the ends of each stretch do not count. Only the
    power of the harmonics counts (``comb``): noise in the place of a note leaves it mute.

    Returns:
        0 where every high note sounds, 1 where none does.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    high = heard.sung & (heard.wanted_hz >= HIGH_HZ)
    enough(high, f"sung frames over {HIGH_HZ:g} Hz in the source")
    ours, theirs = note_powers(heard, high)
    return float(np.mean(ours <= theirs * 10.0 ** (-MUTED_DB / 10.0)))
