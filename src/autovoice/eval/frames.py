"""The level of every 10 ms, on the frames of the pitch curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from autovoice.eval.figure import NotApplicable
from autovoice.eval.world import HOP_S
from autovoice.types import Audio

Levels = NDArray[np.float64]
FLOOR_DB = -120.0
# Rumble and hum below the lowest note are not what is judged.
_RUMBLE_HZ = 60.0
_LEAST_RATE_HZ = 400
_CLICK_RANGE_DB = 60.0
_LOUD_PERCENTILE = 95.0


def levels_db(audio: Audio) -> Levels:
    """Return the RMS level of every 10 ms, in dB to full scale, without rumble under 60 Hz.

    Args:
        audio: any rate of 400 Hz or more; channels count by their mean power.

    Returns:
        ``[floor(100 * seconds) + 1]`` from -120 dB up, frame ``k`` centred at ``k / 100`` s as in
        the curves of ``harvest``; none for an empty sound.

    Raises:
        NotApplicable: the rate is under 400 Hz.
    """
    if audio.sample_rate_hz < _LEAST_RATE_HZ:
        raise NotApplicable(f"found a rate of {audio.sample_rate_hz} Hz, needs {_LEAST_RATE_HZ} Hz")
    if audio.samples.size == 0:
        return np.zeros(0)
    rate_hz, length = audio.sample_rate_hz, audio.length_samples
    rumble = signal.butter(2, _RUMBLE_HZ, "highpass", fs=rate_hz, output="sos")
    count = int(length / rate_hz / HOP_S + 1e-9) + 1
    edges = np.round((np.arange(count) - 0.5) * HOP_S * rate_hz).astype(np.int64).clip(min=0)
    power = np.zeros(count)
    for channel in audio.samples:
        squares = np.square(signal.sosfilt(rumble, channel.astype(np.float64)))
        power += np.add.reduceat(squares, edges) / audio.channels
    widths = np.diff(edges, append=length)
    level: Levels = 10.0 * np.log10(np.maximum(power / widths, 10.0 ** (FLOOR_DB / 10.0)))
    return level


def loud_db(levels: Levels) -> float:
    """Return the level of the loud parts: the 95th percentile without long silences.

    Frames more than 60 dB under the loudest do not count, so that a recording of which little is
    sung has the same level as that little.
    """
    if levels.size == 0:
        return FLOOR_DB
    heard = levels[levels >= levels.max() - _CLICK_RANGE_DB]
    return float(np.percentile(heard, _LOUD_PERCENTILE))
