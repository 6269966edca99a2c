from __future__ import annotations

import numpy as np
import pytest

from autovoice.types import Audio, FloatArray

TAGS = {
    "title": "Tïtle of 東",
    "artist": "An Artist",
    "album": "An Album",
    "date": "2021",
    "comment": "a comment",
    "genre": "Pop",
    "tracknumber": "3",
}


def tones(seconds: float, rate_hz: int, channels: int = 2) -> FloatArray:
    """Sines of 220, 330, 440 ... Hz with a soft start and end, ``[C, T]``."""
    count = round(seconds * rate_hz)
    time = np.arange(count) / rate_hz
    fade = np.minimum(1.0, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.05 * rate_hz))
    rows = [0.4 * fade * np.sin(2 * np.pi * (220 + 110 * c) * time) for c in range(channels)]
    return np.asarray(rows, np.float32)


@pytest.fixture(scope="session")
def song() -> Audio:
    """One second of stereo at 44.1 kHz with tags."""
    return Audio(tones(1.0, 44_100), 44_100, TAGS)
