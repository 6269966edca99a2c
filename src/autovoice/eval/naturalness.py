"""What the predictors of naturalness listen to: mono at 16 kHz."""

from __future__ import annotations

import numpy as np

from autovoice import io
from autovoice.eval.aligned import check_audible
from autovoice.eval.figure import NotApplicable
from autovoice.types import Audio, FloatArray

SAMPLE_RATE_HZ = 16_000
LEAST_S = 0.5


def listenable(audio: Audio) -> FloatArray:
    """Return the mean of the channels at 16 kHz, ``[T]``.

    Args:
        audio: any rate and channel count, 0.5 s or more.

    Raises:
        NotApplicable: too short, silent (a peak of at most 1e-5, -100 dBFS), or not finite.
    """
    if audio.seconds < LEAST_S:
        raise NotApplicable(
            f"found {audio.seconds:.2f} s, a predicted opinion needs at least {LEAST_S} s"
        )
    mono = audio.mono()
    if not np.isfinite(mono).all():
        raise NotApplicable("found samples that are no finite numbers, only finite ones are scored")
    check_audible(mono, f"recording of {audio.seconds:.2f} s")
    heard: FloatArray = io.resample(mono[None], audio.sample_rate_hz, SAMPLE_RATE_HZ)[0]
    return heard
