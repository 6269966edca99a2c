"""How much of the sound is still there, by pitch."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.heard import Heard, Marks, enough, mean_db

# Half-open: a note of 200 Hz is in the second.
BANDS_HZ = {
    "kept_under_200_db": (0.0, 200.0),
    "kept_200_to_400_db": (200.0, 400.0),
    "kept_400_to_700_db": (400.0, 700.0),
    "kept_over_700_db": (700.0, np.inf),
}
_LIMIT_DB = 60.0


def voiced_kept_db(heard: Heard, low_hz: float, high_hz: float) -> float:
    """Return the level of the output against the source, where notes of a band are wanted.

    ``10 log10(mean p_out / mean p_source)`` over the frames of 10 ms in which the wanted pitch is
    from ``low_hz`` up to ``high_hz``, without 30 ms at the ends of each stretch.

    Returns:
        dB, limited to -60 to 60; 0 when kept, negative when lost. A gain of the whole counts.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    band = (heard.wanted_hz >= low_hz) & (heard.wanted_hz < high_hz)
    words = f"sung frames from {low_hz:g} to {high_hz:g} Hz in the source"
    return _kept_db(heard, enough(heard.sung & band, words))


def unvoiced_kept_db(heard: Heard) -> float:
    """Return the same of what has no pitch: sibilants, breaths, whispering (``Heard.hissing``).

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    return _kept_db(heard, enough(heard.hissing, "unvoiced sounding frames in the source"))


def _kept_db(heard: Heard, frames: Marks) -> float:
    change_db = mean_db(heard.output_db[frames]) - mean_db(heard.source_db[frames])
    return float(np.clip(change_db, -_LIMIT_DB, _LIMIT_DB))
