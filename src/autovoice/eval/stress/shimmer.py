"""Level that trembles from frame to frame."""

from __future__ import annotations

from autovoice.eval.stress.heard import Heard, enough, envelope_db
from autovoice.eval.stress.jitter import bend, in_rows

# Of what is muted only the muting is told, elsewhere.
_RANGE_DB = 40.0


def added_shimmer_db(heard: Heard) -> float:
    """Return how much more the level trembles than that of the source.

    ``mean |l_k - (l_k-1 + l_k+1) / 2|`` with ``l`` the level in dB every 10 ms (Hann window of
    25 ms), of the output less that of the source. Looked at are sung frames of the source, without
    30 ms at the ends of each stretch, in which the output is at most 40 dB quieter.

    Returns:
        dB; 0 when as steady, positive when it trembles, negative when it is smoother.

    Raises:
        NotApplicable: there are fewer than 20 such frames.
    """
    count = len(heard.wanted_hz)
    ours, theirs = (envelope_db(audio, count) for audio in (heard.output, heard.source))
    good = heard.sung & (ours >= theirs - _RANGE_DB)
    rows = enough(in_rows(good), "sung frames of the source that sound in the output")
    return bend(ours, rows) - bend(theirs, rows)
