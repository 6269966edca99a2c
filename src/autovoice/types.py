"""The frozen records that travel between stages.

Arrays are NumPy, float32 unless stated, and are not to be written to once they travel. A curve
("frames") has ``hop_s`` seconds between frames, and frame ``k`` is centred at
``offset_s + k * hop_s`` seconds from the start of the audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
# Tensors of a trained voice by name, float16 or float32 (see ``nn.low_rank``).
AdapterArrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory.

    Args:
        samples: ``[C, T]`` float32, nominally in [-1, 1].
        sample_rate_hz: samples per second of each channel.
        metadata: free tags of the file (``title``, ``artist``, ...).
    """

    samples: FloatArray
    sample_rate_hz: int
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(
                f"samples: found {self.samples.dtype}{list(self.samples.shape)}, "
                "expected float32 [channels, samples]"
            )
        if self.sample_rate_hz < 1:
            raise ValueError(f"sample_rate_hz: found {self.sample_rate_hz}, expected at least 1")

    @property
    def channels(self) -> int:
        """Number of channels, C."""
        return int(self.samples.shape[0])

    @property
    def length_samples(self) -> int:
        """Samples per channel, T."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length_samples / self.sample_rate_hz

    def mono(self) -> FloatArray:
        """Return the mean of the channels, ``[T]``."""
        mean: FloatArray = self.samples.mean(axis=0, dtype=np.float32)
        return mean


@dataclass(frozen=True, eq=False)
class Stems:
    """A mix taken apart; ``vocals + backing`` equals the mix, sample by sample."""

    vocals: Audio
    backing: Audio


@dataclass(frozen=True, eq=False)
class Curve:
    """One number per frame, ``values: [F]``."""

    values: FloatArray
    hop_s: float
    offset_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Pitch:
    """Fundamental frequency over time.

    Args:
        f0_hz: ``[F]``, 0 where unvoiced.
        confidence: ``[F]`` in [0, 1], how sure the method is that the frame is voiced.
        hop_s: seconds between frames.
        offset_s: centre of frame 0 in seconds.
    """

    f0_hz: FloatArray
    confidence: FloatArray
    hop_s: float
    offset_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Content:
    """What is said or sung, without who says it: hidden layers of a speech recogniser.

    Args:
        features: ``[L, F, D]``, one plane per hidden layer in ``layers``.
        layers: which hidden layers of the encoder, counted from 1.
        hop_s: seconds between frames.
    """

    features: FloatArray
    layers: tuple[int, ...]
    hop_s: float = 0.02
    offset_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Speaker:
    """Who sings: all that the decoder needs to know of a voice.

    Args:
        style: ``[128]`` the decoder's timbre vector.
        embedding: ``[256]`` unit-length speaker embedding (GE2E).
        f0_median_hz, f0_low_hz, f0_high_hz: median, 5th and 95th percentile of the voiced pitch.
        adapter: what training added to the networks for this voice; empty for a voice that was
            not trained.
    """

    style: FloatArray
    embedding: FloatArray
    f0_median_hz: float
    f0_low_hz: float
    f0_high_hz: float
    adapter: AdapterArrays = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Analysis:
    """All that the converter hears of a vocal.

    Args:
        pitch: fundamental frequency.
        content: words.
        energy: the decoder's energy curve, log units, 80 frames/s (see ``analyse.loudness``).
        activity: ``[F]`` in [0, 1], 1 where somebody sings or speaks.
        seconds: length of the vocal.
    """

    pitch: Pitch
    content: Content
    energy: Curve
    activity: Curve
    seconds: float


@dataclass(frozen=True)
class ScoreCard:
    """The score summary of one conversion.

    Args:
        pitch_error_cents: median absolute error against the source moved by ``semitones``.
        pitch_within_50_cents: share of frames, 0 to 1.
        similarity_target: cosine of speaker embeddings, output against the reference.
        similarity_source: the same against the source vocal.
        similarity_floor: the source vocal against the reference.
        length_error_samples: output minus input.
        semitones: the shift that was applied.
    """

    pitch_error_cents: float | None
    pitch_within_50_cents: float | None
    similarity_target: float | None
    similarity_source: float | None
    similarity_floor: float | None
    length_error_samples: int
    semitones: int
