"""All figures of one place."""

from __future__ import annotations

from functools import partial

import numpy as np

from autovoice.eval.figure import Figure, NotApplicable, attempt
from autovoice.eval.fricatives import breath_db, sibilance_db
from autovoice.eval.gaps import gap_noise_share
from autovoice.eval.harvest import harvest
from autovoice.eval.pitch import Tracker
from autovoice.eval.stress.columns import COLUMNS
from autovoice.eval.stress.gap_level import gap_level_db
from autovoice.eval.stress.heard import Heard, enough, hear
from autovoice.eval.stress.hoarseness import harmonics_change_db
from autovoice.eval.stress.jitter import added_jitter_cents
from autovoice.eval.stress.kept import BANDS_HZ, unvoiced_kept_db, voiced_kept_db
from autovoice.eval.stress.metallic import flatness_change_db
from autovoice.eval.stress.muted import muted_high_share
from autovoice.eval.stress.octaves import octave_jump_share
from autovoice.eval.stress.shimmer import added_shimmer_db
from autovoice.eval.stress.tremor import added_tremor_cents, added_tremor_db
from autovoice.eval.stress.undertone import undertone_share
from autovoice.eval.stress.voicing import added_voice_share, lost_voice_share
from autovoice.types import Audio

IN_TUNE_CENTS = 50.0


def measure(
    output: Audio, source: Audio, semitones: float = 0.0, *, tracker: Tracker = harvest
) -> dict[str, Figure]:
    """Measure an output against its source.

    Args:
        output, source: voices alone, of any rates, at most 0.5 s apart in length.
        semitones: the shift that was applied.
        tracker: finds F0 in both. Default ``harvest``.

    Returns:
        A figure for each of ``columns.COLUMNS``, in their order; not applicable with its reason
        where the source has nothing of the kind.
    """
    try:
        heard = hear(output, source, semitones, tracker=tracker)
    except NotApplicable as reason:
        return {column.measure.key: Figure(None, str(reason)) for column in COLUMNS}
    measures = {
        **{key: partial(voiced_kept_db, heard, *band) for key, band in BANDS_HZ.items()},
        "muted_high_share": partial(muted_high_share, heard),
        "lost_voice_share": partial(lost_voice_share, heard),
        "octave_jump_share": partial(octave_jump_share, heard),
        "pitch_within_50_cents": partial(_in_tune_share, heard),
        "jitter_cents": partial(added_jitter_cents, heard),
        "shimmer_db": partial(added_shimmer_db, heard),
        "harmonics_db": partial(harmonics_change_db, heard),
        "undertone_share": partial(undertone_share, heard),
        "tremor_cents": partial(added_tremor_cents, heard),
        "tremor_db": partial(added_tremor_db, heard),
        "unvoiced_kept_db": partial(unvoiced_kept_db, heard),
        "added_voice_share": partial(added_voice_share, heard),
        "sibilance_db": partial(sibilance_db, heard.output, heard.source, heard.source_hz),
        "breath_db": partial(breath_db, heard.output, heard.source, heard.source_hz),
        "flatness_db": partial(flatness_change_db, heard),
        "gap_noise_share": partial(gap_noise_share, heard.output, heard.source),
        "gap_level_db": partial(gap_level_db, heard),
    }
    return {column.measure.key: attempt(measures[column.measure.key]) for column in COLUMNS}


def _in_tune_share(heard: Heard) -> float:
    """Return the share of frames, voiced in both, less than 50 cents off."""
    both = enough(heard.both, "frames voiced in source and output")
    return float(np.mean(np.abs(heard.error_cents[both]) <= IN_TUNE_CENTS))
