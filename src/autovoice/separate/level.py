"""The level of a mix, without the pauses."""

from __future__ import annotations

import numpy as np

from autovoice.errors import InputError
from autovoice.types import FloatArray

GATE_DB = -40.0


def active_rms(samples: FloatArray, block_samples: int) -> float:
    """Return the RMS over the blocks that are within 40 dB of the loudest one.

    Args:
        samples: ``[C, T]``.
        block_samples: length of a block.

    Returns:
        0.0 for silence.

    Raises:
        InputError: NaN or infinity in the samples.
    """
    powers = np.array(
        [
            np.mean(np.square(samples[:, start : start + block_samples], dtype=np.float64))
            for start in range(0, samples.shape[1], block_samples)
        ]
    )
    if powers.size == 0:
        return 0.0
    if not np.all(np.isfinite(powers)):
        raise InputError("found NaN or infinite samples, expected finite audio; sanitise it first")
    loud = powers[powers >= powers.max() * 10 ** (GATE_DB / 10)]
    return float(np.sqrt(loud.mean()))
