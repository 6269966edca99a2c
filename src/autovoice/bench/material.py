"""What is worked on: the song that comes with the program, and what the decoder reads of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autovoice import io, weights
from autovoice.engine import Engine
from autovoice.types import Audio, FloatArray

SONG_HZ = 44_100
VOICE = "kumo"
_START_S = 2.0


def song(seconds: float) -> Audio:
    """Return stereo of a length, cut from the demo song or made of it again and again."""
    whole = io.read(weights.file("demo-song", "audio_example.mp3"))
    start = round(_START_S * whole.sample_rate_hz)
    count = round(seconds * whole.sample_rate_hz)
    cut = whole.samples[:, start:]
    repeats = -(-count // cut.shape[1])
    return Audio(np.tile(cut, (1, repeats))[:, :count].copy(), whole.sample_rate_hz)


@dataclass(frozen=True)
class Features:
    """What the decoder reads, as NumPy arrays of one piece; see ``nn.decoder``."""

    asr: FloatArray
    f0_hz: FloatArray
    energy: FloatArray
    style: FloatArray

    def batch(self, count: int, seconds: float, device: str) -> tuple[Tensor, ...]:
        """Return ``count`` cuts of ``seconds``, each from another place, and noise for them."""
        frames = round(40 * seconds)
        starts = [(7 * item) % max(1, self.asr.shape[1] - frames) for item in range(count)]
        asr = np.stack([self.asr[:, at : at + frames] for at in starts])
        f0_hz = np.stack([self.f0_hz[2 * at : 2 * (at + frames)] for at in starts])
        energy = np.stack([self.energy[2 * at : 2 * (at + frames)] for at in starts])
        style = np.repeat(self.style[None], count, axis=0)
        noise = torch.randn(count, 600 * frames, generator=torch.Generator().manual_seed(1))
        arrays = (torch.from_numpy(np.ascontiguousarray(x)) for x in (asr, f0_hz, energy, style))
        return tuple(tensor.to(device) for tensor in (*arrays, noise))


def features(engine: Engine, seconds: float = 8.0) -> Features:
    """Analyse the demo song's vocal as it is, and return what the decoder would read of it."""
    stages = engine.stages
    audio = song(seconds)
    at_16k, at_24k = (
        io.resample(audio.mono()[None], audio.sample_rate_hz, rate)[0] for rate in (16_000, 24_000)
    )
    from autovoice.types import Analysis

    pitch = stages.pitch.track(at_16k)
    analysis = Analysis(
        pitch=pitch,
        content=stages.content.encode(at_16k),
        energy=stages.builders.energy(at_24k),
        activity=stages.builders.activity(at_16k, 16_000, pitch),
        seconds=seconds,
    )
    speaker = engine.voice(VOICE).speaker
    made = stages.converter.convert(analysis, speaker, semitones=0)
    return Features(made.asr, made.f0_hz, made.energy, speaker.style)
