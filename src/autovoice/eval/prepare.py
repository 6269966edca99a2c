"""What a card says of the recordings, and what is done to them before they are judged."""

from __future__ import annotations

import hashlib

import numpy as np

from autovoice.errors import InputError
from autovoice.eval.cache import content_hash
from autovoice.eval.card import Recording
from autovoice.types import Audio, FloatArray

EMBEDDING_SIZE = 256
# As on reading a file: what is more than 24 dB over full scale, or no number, is damage.
_DAMAGE_LIMIT = 16.0
_BLOCK_SAMPLES = 1 << 20
_WORTH_A_NOTE_S = 0.1


def prepared(audio: Audio, name: str, notes: list[str]) -> Audio:
    """Return a recording fit to be judged; what was damaged is silent, and ``notes`` says so."""
    damaged = 0
    for channel in audio.samples:
        for first in range(0, len(channel), _BLOCK_SAMPLES):
            block = channel[first : first + _BLOCK_SAMPLES]
            damaged += len(block) - int(np.count_nonzero(np.abs(block) <= _DAMAGE_LIMIT))
    if not damaged:
        return audio
    notes.append(f"{damaged} samples of the {name} are no sound (NaN, Inf, huge); taken as silence")
    kept = np.where(np.abs(audio.samples) <= _DAMAGE_LIMIT, audio.samples, np.float32(0.0))
    return Audio(kept, audio.sample_rate_hz, audio.metadata)


def described(
    output: Audio, source: Audio, reference: Audio | FloatArray, names: tuple[str, str, str]
) -> tuple[Recording, Recording, Recording]:
    """Describe what takes part; hashes are of the sound, not of the file.

    An embedding has no length, rate or channels.

    Raises:
        InputError: the reference is neither a recording nor an embedding.
    """
    if isinstance(reference, Audio):
        wanted = _recording(reference, names[2])
    elif reference.shape != (EMBEDDING_SIZE,) or not np.isfinite(reference).all():
        raise InputError(
            f"{names[2]}: found an array of shape {list(reference.shape)}, expected a recording or "
            f"a speaker embedding of {EMBEDDING_SIZE} finite numbers"
        )
    else:
        digest = hashlib.sha256(reference.astype("<f4").tobytes()).hexdigest()
        wanted = Recording(names[2], digest, 0.0, 0, 0)
    return _recording(output, names[0]), _recording(source, names[1]), wanted


def _recording(audio: Audio, name: str) -> Recording:
    rate_hz, channels = audio.sample_rate_hz, audio.channels
    return Recording(name, content_hash(audio), audio.seconds, rate_hz, channels)


def notes_of(
    output: Audio,
    source: Audio,
    reference: Audio | FloatArray,
    span: tuple[float, float],
    most_s: float,
) -> list[str]:
    """Say what a reader should know of the recordings before trusting the figures."""
    notes: list[str] = []
    if span[1] - span[0] < source.seconds:
        notes.append(
            f"judged is the part where most is sung, {span[0]:.1f} to {span[1]:.1f} s "
            f"of {source.seconds:.1f} s"
        )
    if output.sample_rate_hz != source.sample_rate_hz:
        notes.append(
            f"the output is at {output.sample_rate_hz} Hz, the source at {source.sample_rate_hz} Hz"
        )
    apart_s = output.seconds - source.seconds
    if abs(apart_s) > _WORTH_A_NOTE_S:
        word = "longer" if apart_s > 0 else "shorter"
        notes.append(f"the output is {abs(apart_s):.2f} s {word} than the source")
    if not isinstance(reference, Audio):
        notes.append(
            "the reference is a stored voice: only its speaker embedding is compared, which leaves "
            "silences out by another rule (up to 0.05 of similarity)"
        )
    elif reference.seconds > most_s:
        notes.append(
            f"of the reference the most active {most_s:g} s of {reference.seconds:.1f} s are heard"
        )
    return notes
