"""Whether the pauses stayed silent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autovoice.eval.aligned import check_audible, check_lengths
from autovoice.eval.figure import NotApplicable
from autovoice.eval.frames import Levels, levels_db, loud_db
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

Marks = NDArray[np.bool_]
# Beside a loud part of 75 dB this is 25 dB: the noise of a quiet room.
SILENT_UNDER_DB = 50.0
# The longest smearing of an onset by a window, a filter or a delay that is no noise.
MARGIN_S = 0.05
LEAST_SILENCE_S = 0.2


def gap_noise_share(output: Audio, source: Audio) -> float:
    """Return the share of the source's silent frames in which the output is not silent.

    A frame of 10 ms is silent where its level is more than 50 dB under the recording's own loud
    level (the 95th percentile, see ``frames.loud_db``); the loudness of the whole does not count.
    Of the source only silence at least 50 ms away from anything louder is looked at, so that an
    onset that is smeared or a frame late counts for nothing. Frames are laid side by side by
    time, each recording at its own rate, up to the shorter length.

    Args:
        output, source: any rates; at most 0.5 s apart in length.

    Returns:
        0 where every gap stayed silent, 1 where none did.

    Raises:
        NotApplicable: one is silent, lengths differ, or the source has less than 0.2 s of such
            silence (a recording with noise in its own pauses has none).
    """
    check_lengths(output, source)
    for audio, name in ((output, "output"), (source, "source")):
        check_audible(audio.samples, name)
    ours, theirs = levels_db(output), levels_db(source)
    count = min(len(ours), len(theirs))
    gaps = found_gaps(silent_frames(theirs)[:count])
    heard = ours[:count] >= loud_db(ours) - SILENT_UNDER_DB
    return float(np.mean(heard[gaps]))


def silent_frames(levels: Levels) -> Marks:
    """Mark the frames that are 50 dB under the loud level, and 50 ms away from anything louder.

    Args:
        levels: ``[F]`` as from ``frames.levels_db``.
    """
    sounding = levels >= loud_db(levels) - SILENT_UNDER_DB
    near: Marks = ndimage.binary_dilation(sounding, iterations=round(MARGIN_S / HOP_S))
    return ~near


def found_gaps(gaps: Marks) -> Marks:
    """Return the marks of ``silent_frames`` as they are.

    Raises:
        NotApplicable: they are less than 0.2 s in all.
    """
    found_s = float(gaps.sum()) * HOP_S
    if found_s < LEAST_SILENCE_S - HOP_S / 2:
        raise NotApplicable(
            f"found {found_s:.2f} s of silence in the source ({SILENT_UNDER_DB:.0f} dB under its "
            f"loud parts, {MARGIN_S * 1000:.0f} ms away from them), needs {LEAST_SILENCE_S} s"
        )
    return gaps
