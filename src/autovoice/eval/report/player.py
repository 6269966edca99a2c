"""Sound inside the page."""

from __future__ import annotations

import io as buffers
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import soundfile as sf

from autovoice import io
from autovoice.eval.part import cut, most_active_part
from autovoice.eval.report.png import data_uri
from autovoice.io.formats import FORMATS
from autovoice.types import Audio

MOST_S = 60.0
MOST_REFERENCE_S = 30.0
# Base 64 makes four bytes of three, and the pictures need their share of 3 MB.
BUDGET_BYTES = 1_450_000
# Libsndfile's level and the constant bit rate in bit/s that LAME makes of it for one channel.
_LEVELS = ((0.6, 160e3), (0.7, 112e3), (0.8, 96e3), (0.85, 80e3), (0.9, 56e3), (0.99, 32e3))
_HEAD_BYTES = 1500
_THREADS = 2


@dataclass(frozen=True)
class Clip:
    """A part of a recording to be heard.

    Args:
        part: ``source``, ``output`` or ``reference``.
        name: of the file.
        audio: the part.
        start_s: where in the recording it begins.
    """

    part: str
    name: str
    audio: Audio
    start_s: float


@dataclass(frozen=True)
class Player:
    """What the page needs to play a clip; ``address`` is empty where there is no sound."""

    part: str
    name: str
    start_s: float
    seconds: float
    address: str


def reference_clip(name: str, reference: Audio) -> Clip:
    """Return the most active half minute of a reference."""
    span = most_active_part(reference, MOST_REFERENCE_S)
    return Clip("reference", name, cut(reference, *span), span[0])


def players(clips: Sequence[Clip], budget_bytes: int = BUDGET_BYTES) -> list[Player]:
    """Encode clips as MP3, one channel, as well as the budget allows.

    Args:
        clips: all that the page will hold.
        budget_bytes: for all together, before they become text.
    """
    seconds = sum(clip.audio.seconds for clip in clips)
    rate = 8.0 * (budget_bytes - _HEAD_BYTES * len(clips)) / max(seconds, 1e-3)
    level = next((level for level, bit_rate in _LEVELS if bit_rate <= rate), _LEVELS[-1][0])
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        addresses = list(pool.map(lambda clip: _address(clip.audio, level), clips))
    return [
        Player(clip.part, clip.name, clip.start_s, clip.audio.seconds, address)
        for clip, address in zip(clips, addresses, strict=True)
    ]


def _address(audio: Audio, level: float) -> str:
    if audio.length_samples == 0:
        return ""
    rate_hz = FORMATS["MP3"].rate_for(audio.sample_rate_hz)
    mono = np.nan_to_num(audio.mono())[None]
    samples = np.clip(io.resample(mono, audio.sample_rate_hz, rate_hz)[0], -1.0, 1.0)
    buffer = buffers.BytesIO()
    sf.write(
        buffer,
        samples,
        rate_hz,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode="CONSTANT",
    )
    return data_uri(buffer.getvalue(), "audio/mpeg")
