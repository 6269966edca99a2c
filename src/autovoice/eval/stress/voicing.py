"""Notes that turned into whispering, and whispering that turned into notes."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import Heard, enough


def lost_voice_share(heard: Heard) -> float:
    """Return the share of the source's sung frames in which the output has no pitch.

    30 ms at the ends of each stretch do not count. Silence has no pitch either.

    Returns:
        0 where every note is one, 1 where none is.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    sung = enough(heard.sung, "sung frames in the source")
    return float(np.mean((heard.output_hz <= 0)[sung]))


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
