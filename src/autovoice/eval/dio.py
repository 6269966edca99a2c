"""The quick judge's pitch: DIO with StoneMask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autovoice import io
from autovoice.eval.world import SAMPLE_RATE_HZ, dio_f0
from autovoice.types import FloatArray


def dio(recordings: Sequence[tuple[FloatArray, int]]) -> list[NDArray[np.float64]]:
    """Track F0 every 10 ms between 65 and 1,100 Hz; 0 where unvoiced.

    About thirty times faster than Harvest; it leaves out a tenth of the frames that Harvest calls
    voiced, the doubtful ones, and within the others reads 1 to 8 cents (median) from it.

    Args:
        recordings: ``(samples [T], sample_rate_hz)`` of each.

    Returns:
        ``[floor(100 * seconds) + 1]`` of each, frame ``k`` centred at ``k / 100`` s.

    Source: Morise et al., "Fast and reliable F0 estimation method based on the period extraction
    of vocal fold vibration of singing voice and speech", 2009.
    """
    audios = [io.resample(samples[None], rate, SAMPLE_RATE_HZ)[0] for samples, rate in recordings]
    return [dio_f0(audio) for audio in audios]
