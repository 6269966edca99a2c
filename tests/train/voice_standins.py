"""Small networks, made singers and a plain ear for the tests of voice training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from autovoice import io
from autovoice.eval.dio import dio
from autovoice.train.losses import MelDistance
from autovoice.train.voice.material import curves
from autovoice.train.voice.parts import Parts
from autovoice.train.voice.request import Plan
from autovoice.train.voice.tools import Tools
from autovoice.types import FloatArray, Pitch
from autovoice.voices import Encoders, Voice, VoiceHeader

RATE_HZ = 24_000
MODEL_A, MODEL_B = "a" * 64, "b" * 64
# Levels of eight harmonics: two people.
ANNA = (1.0, 0.9, 0.6, 0.5, 0.1, 0.05, 0.02, 0.01)
BERTA = (0.2, 0.1, 0.1, 0.3, 1.0, 0.9, 0.8, 0.7)


def sing(
    seconds: float,
    who: Sequence[float] = ANNA,
    *,
    f0_hz: float = 200.0,
    phrase_s: float = 2.6,
    pause_s: float = 0.4,
    noise: float = 1e-4,
    seed: int = 0,
) -> FloatArray:
    """Sing phrases of a waving pitch with pauses between them, ``[T]`` at 24 kHz."""
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    melody = f0_hz * 2 ** (0.2 * np.sin(2 * np.pi * 0.4 * at_s))
    cycles = np.cumsum(melody) / RATE_HZ
    waves = sum(a * np.sin(2 * np.pi * (k + 1) * cycles) for k, a in enumerate(who))
    place = at_s % (phrase_s + pause_s)
    gate = np.clip(np.minimum(place, phrase_s - place) / 0.03, 0.0, 1.0)
    hiss = noise * np.random.default_rng(seed).standard_normal(len(at_s))
    sound: FloatArray = (0.1 * waves * gate + hiss).astype(np.float32)
    return sound


def track(samples: FloatArray) -> Pitch:
    """Track the pitch of 16 kHz sound with WORLD's DIO."""
    f0_hz = dio([(samples, 16_000)])[0].astype(np.float32)
    return Pitch(f0_hz, (f0_hz > 0).astype(np.float32), 0.01)


def embed(samples: FloatArray, rate_hz: int = RATE_HZ) -> FloatArray:
    """Describe a voice by its long-term spectrum: 256 bands from 0 to 4 kHz, unit length."""
    at_8k = io.resample(samples[None], rate_hz, 8_000)[0]
    frames = at_8k[: len(at_8k) // 512 * 512].reshape(-1, 512)
    spectrum = np.abs(np.fft.rfft(frames, axis=1)[:, :256]).mean(axis=0)
    spectrum = np.convolve(spectrum, np.ones(9) / 9, mode="same")
    unit: FloatArray = (spectrum / max(float(np.linalg.norm(spectrum)), 1e-9)).astype(np.float32)
    return unit


def encoders() -> Encoders:
    return Encoders(
        embedding=embed,
        style=lambda samples, embedding: np.full(128, 0.1, np.float32),
        pitch=track,
        resample=io.resample,
        read=io.read,
        identity="stand-ins",
    )


class Words(nn.Module):
    """Stands for the content adapter: one layer per frame."""

    def __init__(self) -> None:
        super().__init__()
        self.outward = nn.Conv1d(1024, 512, 1)

    def forward(self, content: Tensor, frames: int) -> Tensor:
        read = nn.functional.interpolate(content, size=frames, mode="linear")
        out: Tensor = self.outward(read)
        return out


class Ear(nn.Module):
    """Stands for the recogniser: a fixed random picture of each two frames."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv1d(80, 512, 2, stride=2)

    def forward(
        self, mel: Tensor, layers: Sequence[int], first_position: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        even = nn.functional.pad(mel, (0, mel.shape[2] % 2))
        seen = self.look(even).transpose(1, 2)
        return tuple(seen for _ in layers)


class Block(nn.Module):
    """A layer under a style, named as in the real decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(512, 64, 3, padding=1)
        self.norm1 = nn.Module()
        self.norm1.fc = nn.Linear(128, 64)

    def forward(self, asr: Tensor, style: Tensor) -> Tensor:
        out: Tensor = torch.tanh(self.conv1(asr) + self.norm1.fc(style)[:, :, None])
        return out


class Decoder(nn.Module):
    """Eight harmonics of the pitch, whose levels come from words and style."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = Block()
        self.generator = nn.Module()
        self.generator.conv_post = nn.Conv1d(64, 64, 1)
        self.levels = nn.Conv1d(64, 8, 1)

    def forward(
        self, asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor, noise: Tensor
    ) -> Tensor:
        x = self.generator.conv_post(self.encode(asr, style))
        levels = torch.sigmoid(self.levels(x)).repeat_interleave(600, dim=2)
        melody = f0_hz.repeat_interleave(300, dim=1)
        cycles = torch.cumsum(melody.double() / RATE_HZ, dim=1).remainder(1.0).float()
        order = torch.arange(1, 9, device=f0_hz.device)[None, :, None]
        waves = torch.sin(2 * math.pi * cycles[:, None] * order)
        loud = (energy.clamp(-9, 3) * 0.25).exp().repeat_interleave(300, dim=1) * 0.03
        return (waves * levels).sum(1) * loud * (melody > 0) + 1e-4 * noise


class NoPitchLoss(nn.Module):
    """The made decoder cannot miss its pitch."""

    def forward(self, made: Tensor, f0_hz: Tensor) -> Tensor:
        return made.new_zeros(())


def parts(seed: int = 0) -> Parts:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Parts(Words(), Decoder(), Ear(), MelDistance(), NoPitchLoss(), "cpu")


@dataclass
class PlainEar:
    """Hears voices as ``embed`` does; ``text`` is what it writes down."""

    name: str = "ge2e"
    text: str | None = None
    notes: list[str] = field(default_factory=list)

    def voice(self, samples: FloatArray) -> FloatArray | None:
        return embed(samples)

    def words(self, samples: FloatArray) -> str | None:
        return self.text

    def opinion(self, samples: FloatArray) -> float | None:
        return None


def singer(name: str = "other") -> Voice:
    header = VoiceHeader(name=name, f0_median_hz=200.0, f0_low_hz=100.0, f0_high_hz=400.0)
    return Voice(header, np.full(128, -0.1, np.float32), np.ones(256, np.float32) / 16)


def tools(model: str = MODEL_A) -> Tools:
    plan = Plan(
        batch=2, ticks=8, disguises=1, train_s=60.0, held_s=10.0, strangers=3, held_strangers=1,
        rank=4,
    )  # fmt: skip
    return Tools(encoders(), parts(), PlainEar(), [singer()], model, plan, tell)


def tell(count: int, seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """Other people's words: glides of a third voice."""
    chance = np.random.default_rng(seed)
    clips = []
    for index in range(count):
        samples = sing(2.4, chance.uniform(0.1, 1.0, 8), f0_hz=150.0 + 20 * index, pause_s=0.0)
        at_16k = io.resample(samples[None], 24_000, 16_000)[0]
        clips.append((samples, curves(samples, at_16k, track)[0]))
    return clips
