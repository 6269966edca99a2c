"""Notes that turned into whispering, and whispering that turned into notes."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import Heard, enough
from autovoice.eval.stress.hoarseness import harmonics_db

_LEAST_DB = 3.0


def lost_voice_share(heard: Heard) -> float:
    """Return the share of the source's sung frames in which the output has no pitch.

    None is where Harvest finds none and less than two thirds of the power repeat with the wanted
    period (``hoarseness.harmonics_db`` under 3 dB; noise through a resonance reaches 0 dB by
    chance): Harvest alone misses high notes in a little noise. 30 ms at the ends of each stretch do
    not count. Silence has no pitch either.

    Returns:
        0 where every note is one, 1 where none is.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    sung = enough(heard.sung, "sung frames in the source")
    doubtful = sung & (heard.output_hz <= 0)
    if not doubtful.any():
        return 0.0
    lost = harmonics_db(heard.output, heard.wanted_hz, doubtful) < _LEAST_DB
    return float(lost.sum() / sung.sum())


def added_voice_share(heard: Heard) -> float:
    """Return the share of sibilants, breaths and whispering that have a pitch in the output.

    The frames are those of ``Heard.hissing``.

    Returns:
        0 where noise stayed noise, 1 where all of it hums.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    hissing = enough(heard.hissing, "unvoiced sounding frames in the source")
    return float(np.mean((heard.output_hz > 0)[hissing]))
