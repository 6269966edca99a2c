"""Where a voice stands between the loudspeakers."""

from __future__ import annotations

import numpy as np

from autovoice.mix.curves import smoothed
from autovoice.mix.loudness import Powers

SMOOTHING_S = 1.0
# In pauses, what is left in the stem says little about the singer: this share of the whole
# song's mean power pulls the place towards its usual one.
USUAL_SHARE = 1e-2


def pan_gains(powers: Powers) -> Powers:
    """Return each channel's gain over time that puts a mono voice where the source voice stands.

    The gains follow the power of the source in each channel over about 1 s. They are positive and
    their squares sum to 1, so the voice is in phase on all channels (a mono fold-down loses
    nothing) and panning changes its place, not its level. Width (reverberation, doubled voices)
    is not made up.

    Args:
        powers: ``[C, N]`` of the source vocal, per 100 ms.

    Shape:
        ``[C, N]`` -> ``[C, N]``; equal gains where the source is silent throughout.
    """
    channels = powers.shape[0]
    usual = powers.mean(axis=1, keepdims=True) if powers.size else np.zeros((channels, 1))
    total = float(usual.sum())
    if total <= 0:
        return np.full(powers.shape, channels**-0.5)
    local = np.stack([smoothed(channel, SMOOTHING_S) for channel in powers])
    shares = local + USUAL_SHARE * usual
    gains: Powers = np.sqrt(shares / shares.sum(axis=0))
    return gains
