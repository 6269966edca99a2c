"""How loud the output is and how high it peaks."""

from __future__ import annotations

import math

from autovoice.eval.aligned import check_audible
from autovoice.eval.figure import NotApplicable
from autovoice.mix.loudness import (
    ABSOLUTE_GATE_LUFS,
    LEAST_WEIGHTED_RATE_HZ,
    STEPS_PER_BLOCK,
    STEPS_PER_S,
    integrated_lufs,
)
from autovoice.mix.true_peak import true_peak
from autovoice.types import Audio

_LEAST_S = STEPS_PER_BLOCK / STEPS_PER_S


def loudness_lufs(audio: Audio) -> float:
    """Return the integrated loudness in LUFS.

    Args:
        audio: 0.4 s or more at 8 kHz or more; every channel counts once.

    Raises:
        NotApplicable: too short, too low a rate, or nothing over -70 LUFS.

    Source: ITU-R BS.1770-4.
    """
    if audio.seconds < _LEAST_S:
        raise NotApplicable(f"found {audio.seconds:.2f} s, loudness needs {_LEAST_S} s")
    if audio.sample_rate_hz < LEAST_WEIGHTED_RATE_HZ:
        raise NotApplicable(
            f"found a rate of {audio.sample_rate_hz} Hz, loudness needs {LEAST_WEIGHTED_RATE_HZ} Hz"
        )
    lufs = integrated_lufs(audio.samples, audio.sample_rate_hz)
    if not math.isfinite(lufs):
        raise NotApplicable(f"silent: nothing is over the gate of {ABSOLUTE_GATE_LUFS:.0f} LUFS")
    return lufs


def true_peak_dbtp(audio: Audio) -> float:
    """Return the highest peak between the samples, in dB to full scale.

    Args:
        audio: any rate and length.

    Raises:
        NotApplicable: silence.

    Source: ITU-R BS.1770-4, annex 2.
    """
    check_audible(audio.samples, "sound")
    return 20.0 * math.log10(true_peak(audio.samples))
