"""A hum under the note, where the source has nothing."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.comb import NotePower, note_power
from autovoice.eval.stress.heard import Heard, enough


def undertone_share(heard: Heard) -> float:
    """Return how much more of the power lies under the note than in the source.

    The share of the power under 0.7 of the wanted pitch in sung frames without 30 ms at the ends of
    each stretch (``comb``), on average, of the output less that of the source.

    Returns:
        -1 to 1; 0 when as in the source, positive for a growl, a hum or rumble.

    Raises:
        NotApplicable: there are fewer than 20 such frames, or the output is silent in all of them.
    """
    sung = enough(heard.sung, "sung frames in the source")
    ours = note_power(heard.output, heard.wanted_hz, sung)
    theirs = note_power(heard.source, heard.source_hz, sung)
    sounding = (ours.whole > 1e-10) & (theirs.whole > 1e-10)
    enough(sounding, "sung frames that sound in the output")
    return float(np.mean((_share(ours) - _share(theirs))[sounding]))


def _share(power: NotePower) -> np.ndarray:
    return power.under / np.maximum(power.whole, 1e-20)
