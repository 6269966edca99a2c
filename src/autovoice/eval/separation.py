"""How well a separator found a stem that is known."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.eval.aligned import check_audible, check_lengths
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio

# Better than this is the rounding of float32; a perfect estimate would be infinite.
MOST_DB = 100.0
_BLOCK_SAMPLES = 1 << 18


def si_sdr_db(estimate: Audio, truth: Audio) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB.

    The truth is scaled to explain as much of the estimate as it can; the rest is distortion.
    All channels share one scale, so a wrong stereo balance counts; the mean of each channel is
    taken out. The truth is brought to the estimate's rate, both are cut to the shorter length.

    Args:
        estimate, truth: equal channel counts; at most 0.5 s apart in length.

    Returns:
        -100 to 100 dB, to which a perfect and an unrelated estimate are limited.

    Raises:
        NotApplicable: one is empty or silent, or lengths or channels differ.

    Source: Le Roux et al., "SDR - half-baked or well done?", 2019.
    """
    check_audible(estimate.samples, "estimate")
    found, wanted, product = _energies(estimate, truth, centred=True)
    if wanted == 0.0:
        raise NotApplicable("the truth is a constant; a sound is needed")
    explained = product**2 / wanted
    return _ratio_db(explained, found - explained)


def sdr_db(estimate: Audio, truth: Audio) -> float:
    """Return the plain signal-to-distortion ratio in dB: energy of truth over that of the error.

    This is not the SDR of BSS Eval, which forgives whatever a filter of 512 taps can explain and
    reads higher: a wrong level counts here. Rates, lengths and channels as in ``si_sdr_db``.

    Args:
        estimate, truth: equal channel counts; at most 0.5 s apart in length.

    Returns:
        -100 to 100 dB, to which it is limited; 0 for a silent estimate.

    Raises:
        NotApplicable: one is empty, the truth is silent, or lengths or channels differ.

    Source: Vincent et al., "Performance measurement in blind audio source separation", 2006, by
    whose terms the whole error is distortion.
    """
    found, wanted, product = _energies(estimate, truth, centred=False)
    return _ratio_db(wanted, found - 2.0 * product + wanted)


def _energies(estimate: Audio, truth: Audio, *, centred: bool) -> tuple[float, float, float]:
    """Return the energies of estimate and truth and their inner product, over all channels."""
    check_lengths(estimate, truth, ("estimate", "truth"))
    if estimate.channels != truth.channels:
        raise NotApplicable(
            f"found {estimate.channels} and {truth.channels} channels, needs as many in both"
        )
    check_audible(truth.samples, "truth")
    ours, theirs = estimate.samples, truth.samples
    if truth.sample_rate_hz != estimate.sample_rate_hz:
        theirs = io.resample(theirs, truth.sample_rate_hz, estimate.sample_rate_hz)
    count = min(ours.shape[1], theirs.shape[1])
    ours, theirs = ours[:, :count], theirs[:, :count]
    means = [
        part.mean(axis=1, keepdims=True, dtype=np.float64) * centred for part in (ours, theirs)
    ]
    total: NDArray[np.float64] = np.zeros(3)
    for first in range(0, count, _BLOCK_SAMPLES):
        one, other = (
            (part[:, first : first + _BLOCK_SAMPLES] - mean).ravel()
            for part, mean in zip((ours, theirs), means, strict=True)
        )
        total += (one @ one, other @ other, one @ other)
    found, wanted, product = total.tolist()
    return found, wanted, product


def _ratio_db(wanted: float, rest: float) -> float:
    if rest <= wanted * 10.0 ** (-MOST_DB / 10.0):
        return MOST_DB
    if wanted <= rest * 10.0 ** (-MOST_DB / 10.0):
        return -MOST_DB
    return 10.0 * math.log10(wanted / rest)
