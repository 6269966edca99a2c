"""The frozen records that travel between stages.

Arrays are NumPy, float32 unless stated, and are not to be written to once they travel. A curve
("frames") has ``hop_s`` seconds between frames, and frame ``k`` is centred at
``offset_s + k * hop_s`` seconds from the start of the audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autovoice.note_names import midi_hz, nearest_note, note_name

FloatArray = NDArray[np.float32]
# How far a voice is taken to reach above its own low end: see ``Speaker.comfortable``.
REACH_SEMITONES = 18
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


@dataclass(frozen=True)
class PitchRange:
    """Where a melody or a voice lies: low and high end and the middle, Hz."""

    low_hz: float
    median_hz: float
    high_hz: float

    @property
    def notes(self) -> str:
        """The two ends as names of notes, such as ``A3 to E5``."""
        low, high = (note_name(nearest_note(hz)) for hz in (self.low_hz, self.high_hz))
        return f"{low} to {high}"

    def to_json(self) -> dict[str, Any]:
        """Return frequencies, and the notes nearest to them, as plain values."""
        names = {
            key.replace("_hz", "_note"): note_name(nearest_note(value))
            for key, value in asdict(self).items()
        }
        return {**{key: round(value, 2) for key, value in asdict(self).items()}, **names}


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

    @property
    def comfortable(self) -> PitchRange | None:
        """Where the voice sings at ease; None where its pitch is not known.

        The low end is the 5th percentile of the recording. The high end is the 95th, or one and
        a half octaves above the low end where that is higher: people sing above where they speak,
        and most voices are made from speech, which spans well under an octave. One made from
        singing is wide already, so little or nothing is added. The figure was measured on six
        singers of GTSinger: the 95th percentile of their singing lies 18 semitones (11 to 25)
        above the 5th of their own speech, in the median; none of them sings lower than they
        speak.
        """
        if self.f0_median_hz <= 0:
            return None
        low_hz = self.f0_low_hz or self.f0_median_hz
        high_hz = self.f0_high_hz or self.f0_median_hz
        reached_hz = low_hz * 2.0 ** (REACH_SEMITONES / 12)
        return PitchRange(low_hz, self.f0_median_hz, max(high_hz, reached_hz))


@dataclass(frozen=True)
class RangeSpan:
    """A stretch of a song that lies outside of a voice's comfortable range.

    Args:
        start_s, end_s: in the song.
        side: above or below the range.
        note: the farthest note that is held for 0.1 s in all, as a MIDI number (A4 is 69), after
            the shift.
        beyond_semitones: from the end of the range to that note, 1 or more.
        outside_s: how long notes are outside in it; notes between them may be inside.
    """

    start_s: float
    end_s: float
    side: Literal["above", "below"]
    note: int
    beyond_semitones: int
    outside_s: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "side": self.side,
            "note": note_name(self.note),
            "note_hz": round(midi_hz(self.note), 2),
            "beyond_semitones": self.beyond_semitones,
            "outside_s": round(self.outside_s, 3),
        }


@dataclass(frozen=True)
class ShiftAdvice:
    """A shift, and the share of the voiced time, 0 to 1, that it leaves outside of the range."""

    semitones: int
    share_outside: float

    @property
    def backing_semitones(self) -> int:
        """How far the backing has to move with it, -5 to 6: octaves do not count."""
        return (self.semitones + 5) % 12 - 5

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "semitones": self.semitones,
            "share_outside": round(self.share_outside, 4),
            "backing_semitones": self.backing_semitones,
        }


@dataclass(frozen=True)
class RangeFit:
    """How a song fits a voice, and which shift would fit better.

    Shares are of the voiced time, 0 to 1. What song or voice have no pitch for is None.

    Args:
        semitones: the shift that is applied.
        song: 5th, 50th and 95th percentile of the melody after the shift.
        voice: the voice's comfortable range.
        share_above, share_below: how much of the song lies outside.
        spans: where, in the order of time.
        auto: the octave that ``--semitones auto`` takes.
        octave: of all octaves the one that leaves least outside.
        key: the same of all shifts; only advice, as the backing would have to move too.
        why_not: why there is no comparison, else ``""``.
    """

    semitones: int
    song: PitchRange | None = None
    voice: PitchRange | None = None
    share_above: float | None = None
    share_below: float | None = None
    spans: tuple[RangeSpan, ...] = ()
    auto: ShiftAdvice | None = None
    octave: ShiftAdvice | None = None
    key: ShiftAdvice | None = None
    why_not: str = ""

    @property
    def share_outside(self) -> float | None:
        """How much of the song lies outside on either side."""
        if self.share_above is None or self.share_below is None:
            return None
        return self.share_above + self.share_below

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints: plain values, None where there is no number."""
        shares = {
            name: None if (share := getattr(self, name)) is None else round(share, 4)
            for name in ("share_outside", "share_above", "share_below")
        }
        advice = {
            name: None if (shift := getattr(self, name)) is None else shift.to_json()
            for name in ("auto", "octave", "key")
        }
        return {
            "semitones": self.semitones,
            "song": None if self.song is None else self.song.to_json(),
            "voice": None if self.voice is None else self.voice.to_json(),
            **shares,
            "spans": [span.to_json() for span in self.spans],
            "suggestion": advice,
            "why_not": self.why_not,
        }


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
