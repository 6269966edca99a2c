"""Make a voice from recordings."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autovoice.errors import VoiceError
from autovoice.types import Audio, FloatArray, Pitch
from autovoice.voices.names import check_name
from autovoice.voices.profile import EMBEDDING_SIZE, STYLE_SIZE, Voice, VoiceHeader

if TYPE_CHECKING:
    from autovoice.nn.stage import Scheduler

LEAST_S = 3.0
LEAST_VOICED_S = 1.0
MOST_S = 300.0
BASE_MODEL_ID = "kokoro-82m"
BASE_MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
Recording = str | Path | Audio


@dataclass(frozen=True)
class Encoders:
    """What listens to the recordings.

    Args:
        embedding: ``(samples [T], sample_rate_hz) -> [256]``, the speaker embedding.
        style: ``(samples [T] at 24 kHz, embedding) -> [128]``, the decoder's timbre vector.
        pitch: ``(samples [T] at 16 kHz) -> Pitch``.
        resample: ``(samples [C, T], from_hz, to_hz) -> [C, T']``.
        read: opens a recording.
        identity: tells one set of encoders from another; part of cache keys.
        schedule: gives the networks to who decides when they run, an ``nn.stage.Scheduler``.
            Default: whoever calls runs them.
    """

    embedding: Callable[[FloatArray, int], FloatArray]
    style: Callable[[FloatArray, FloatArray], FloatArray]
    pitch: Callable[[FloatArray], Pitch]
    resample: Callable[[FloatArray, int, int], FloatArray]
    read: Callable[[Path], Audio]
    identity: str = BASE_MODEL_SHA256
    schedule: Callable[[Scheduler | None], None] | None = None


def make_voice(
    recordings: Recording | Sequence[Recording],
    *,
    encoders: Encoders,
    name: str,
    description: str = "",
    consent: str = "",
    licence: str = "",
) -> Voice:
    """Make a voice from recordings of one person.

    Args:
        recordings: files or ``Audio``; together at least 3 s, of which the first 300 s are used.
        encoders: what listens.
        name: what to call the voice.
        description, consent, licence: kept in its record; a consent is dated today.

    Raises:
        VoiceError: the recordings are too short or hold too little voice.
    """
    check_name(name)
    parts = [recordings] if isinstance(recordings, str | Path | Audio) else list(recordings)
    audios = [part if isinstance(part, Audio) else encoders.read(Path(part)) for part in parts]
    seconds = sum(audio.seconds for audio in audios)
    if seconds < LEAST_S:
        raise VoiceError(
            f"a voice needs at least {LEAST_S:.0f} s of one person speaking or singing, "
            f"found {seconds:.2f} s in {len(audios)} recording(s); 10 to 60 s work best"
        )
    at_16k = _joined(audios, 16_000, encoders)
    at_24k = _joined(audios, 24_000, encoders)
    median, low, high = _pitch_range(encoders.pitch(at_16k))
    embedding = _checked(encoders.embedding(at_16k, 16_000), "embedding", EMBEDDING_SIZE)
    style = _checked(encoders.style(at_24k, embedding), "style", STYLE_SIZE)
    header = VoiceHeader(
        name=name,
        description=description,
        sample_count=len(audios),
        seconds_used=round(min(seconds, MOST_S), 3),
        consent=consent,
        consent_date=_today() if consent else "",
        licence=licence,
        base_model_id=BASE_MODEL_ID,
        base_model_sha256=BASE_MODEL_SHA256,
        f0_median_hz=median,
        f0_low_hz=low,
        f0_high_hz=high,
    )
    return Voice(header, style, embedding)


def _today() -> str:
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _joined(audios: Sequence[Audio], rate_hz: int, encoders: Encoders) -> FloatArray:
    """Return the recordings one after another, mono, at ``rate_hz``, cut to the longest use."""
    left_s = MOST_S
    pieces: list[FloatArray] = []
    for audio in audios:
        samples = audio.mono()[None, : int(left_s * audio.sample_rate_hz)]
        left_s -= samples.shape[1] / audio.sample_rate_hz
        if samples.shape[1]:
            pieces.append(encoders.resample(samples, audio.sample_rate_hz, rate_hz)[0])
    joined: FloatArray = np.concatenate(pieces)
    return joined


def _pitch_range(pitch: Pitch) -> tuple[float, float, float]:
    """Return median, 5th and 95th percentile of the voiced pitch in Hz."""
    voiced = pitch.f0_hz[pitch.f0_hz > 0]
    if len(voiced) * pitch.hop_s < LEAST_VOICED_S:
        raise VoiceError(
            f"found {len(voiced) * pitch.hop_s:.2f} s of voiced sound, expected at least "
            f"{LEAST_VOICED_S:.0f} s: is there a person speaking or singing in the recording?"
        )
    median, low, high = np.percentile(voiced, [50, 5, 95])
    return float(median), float(low), float(high)


def _checked(vector: FloatArray, what: str, size: int) -> FloatArray:
    if vector.shape != (size,) or not np.isfinite(vector).all():
        raise VoiceError(f"the recording gave no usable {what}; try another recording")
    return np.ascontiguousarray(vector, np.float32)
