"""How loud the gaps are."""

from __future__ import annotations

import numpy as np

from autovoice.eval.aligned import check_audible
from autovoice.eval.frames import loud_db
from autovoice.eval.gaps import found_gaps, silent_frames
from autovoice.eval.stress.heard import Heard, mean_db

LOWEST_DB = -80.0


def gap_level_db(heard: Heard) -> float:
    """Return the mean level of the output in the source's gaps, under the output's loud level.

    The gaps are those of ``gaps.gap_noise_share``: 50 dB under the source's loud level and 50 ms
    away from anything louder. That tells how often something is heard, this how loud it is.

    Returns:
        dB, from -80 up; lower is better.

    Raises:
        NotApplicable: the output is silent, or the source has less than 0.2 s of gaps.
    """
    check_audible(heard.output.samples, "output")
    gaps = found_gaps(silent_frames(heard.source_db))
    return float(np.maximum(mean_db(heard.output_db[gaps]) - loud_db(heard.output_db), LOWEST_DB))
