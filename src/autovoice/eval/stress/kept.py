"""How much of the notes, and of what has no pitch, is still there."""

from __future__ import annotations

import numpy as np

from autovoice.eval.stress.comb import note_power
from autovoice.eval.stress.heard import Curve, Heard, Marks, enough, mean_db

# Half-open: a note of 200 Hz is in the second.
BANDS_HZ = {
    "kept_under_200_db": (0.0, 200.0),
    "kept_200_to_400_db": (200.0, 400.0),
    "kept_400_to_700_db": (400.0, 700.0),
    "kept_over_700_db": (700.0, np.inf),
}
_LIMIT_DB = 60.0
_LEAST_POWER = 1e-12


def voiced_kept_db(heard: Heard, low_hz: float, high_hz: float) -> float:
    """Return the power of the notes of a band, output against source.

    ``10 log10(mean p_out / mean p_source)``, ``p`` the power of the harmonics (``comb``), over the
    frames of 10 ms in which the wanted pitch is from ``low_hz`` up to ``high_hz``, without 30 ms
    at the ends of each stretch. Noise or a hum in the place of a note is no note.

    Returns:
        dB, limited to -60 to 60; 0 when kept, negative when lost. A gain of the whole counts.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    band = (heard.wanted_hz >= low_hz) & (heard.wanted_hz < high_hz)
    words = f"sung frames from {low_hz:g} to {high_hz:g} Hz in the source"
    ours, theirs = note_powers(heard, enough(heard.sung & band, words))
    return _limited(_db(ours.mean()) - _db(theirs.mean()))


def note_powers(heard: Heard, frames: Marks) -> tuple[Curve, Curve]:
    """Return the powers of the notes in output and source, of each marked frame."""
    ours = note_power(heard.output, heard.sung_hz, frames)
    theirs = note_power(heard.source, heard.source_hz, frames)
    return ours.note, theirs.note


def unvoiced_kept_db(heard: Heard) -> float:
    """Return the level of what has no pitch (``Heard.hissing``), output against source.

    Returns:
        dB, limited to -60 to 60; 0 when kept, negative when lost.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    frames = enough(heard.hissing, "unvoiced sounding frames in the source")
    return _limited(mean_db(heard.output_db[frames]) - mean_db(heard.source_db[frames]))


def _db(power: float) -> float:
    return 10.0 * float(np.log10(max(power, _LEAST_POWER)))


def _limited(change_db: float) -> float:
    return float(np.clip(change_db, -_LIMIT_DB, _LIMIT_DB))
