"""Stages for tests: quick, and local in time, so that pieces must agree with the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autovoice.engine import Builders
from autovoice.engine.resident_stages import ResidentBuilders
from autovoice.errors import InputError, ResourceError
from autovoice.speak.utterance import Utterance
from autovoice.types import Analysis, Audio, Content, Curve, FloatArray, Pitch, Speaker, Stems
from autovoice.voices import Encoders, Voice, VoiceHeader


class HalfSeparator:
    """The vocals are three quarters of the mix."""

    def separate(self, audio: Audio, *, progress: Callable[[float], None] | None = None) -> Stems:
        if progress is not None:
            progress(0.5)
        vocals = (audio.samples * 0.75).astype(np.float32)
        rate = audio.sample_rate_hz
        return Stems(Audio(vocals, rate), Audio(audio.samples - vocals, rate))


class Identity:
    """Everything is vocals."""

    def separate(self, audio: Audio, *, progress: Callable[[float], None] | None = None) -> Stems:
        silent = np.zeros_like(audio.samples)
        return Stems(audio, Audio(silent, audio.sample_rate_hz))


class WavingPitch:
    """A melody that never stands still, unvoiced where there is silence."""

    def track(self, samples: FloatArray) -> Pitch:
        frames = len(samples) // 256 + 1
        f0_hz = (220 + 100 * np.sin(np.arange(frames) * 0.05)).astype(np.float32)
        f0_hz[np.abs(samples[: frames * 256 : 256][:frames]).max(initial=0) == 0] = 0
        if not samples.any():
            f0_hz[:] = 0
        return Pitch(f0_hz, np.ones(frames, np.float32), 256 / 16_000)


class MeanContent:
    """One feature: the mean of the magnitude over 20 ms."""

    def encode(self, samples: FloatArray) -> Content:
        frames = len(samples) // 320
        mean = np.abs(samples[: frames * 320]).reshape(frames, 320).mean(axis=1)
        return Content(mean.astype(np.float32)[None, :, None], (6,))


@dataclass
class Carrier:
    """Hand the analysis over; may fail as a GPU does."""

    fits_s: float = 1e9
    calls: list[float] = field(default_factory=list)
    wrapped: bool = False

    def convert(self, analysis: Analysis, speaker: Speaker, *, semitones: int) -> Any:
        self.calls.append(analysis.seconds)
        if analysis.seconds > self.fits_s:
            import torch

            if self.wrapped:
                raise ResourceError("Converter: cuda:0 is out of memory")
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return analysis


class CurveVocoder:
    """Sound whose every sample tells words, pitch and energy at its time."""

    def synthesise(self, features: Analysis, speaker: Speaker, *, seed: int = 0) -> Audio:
        at_s = np.arange(round(features.seconds * 24_000)) / 24_000
        content, pitch, energy = features.content, features.pitch, features.energy
        words = _at(content.features[0, :, 0], content.offset_s + 0.01, content.hop_s, at_s)
        melody = _at(pitch.f0_hz, pitch.offset_s, pitch.hop_s, at_s)
        loudness = _at(energy.values, energy.offset_s, energy.hop_s, at_s)
        sound = words * 0.5 + melody / 2000 + loudness * 0.2
        return Audio(sound.astype(np.float32)[None], 24_000)


def _at(values: FloatArray, offset_s: float, hop_s: float, at_s: np.ndarray) -> np.ndarray:
    return np.interp(at_s, offset_s + np.arange(len(values)) * hop_s, values)


def energy(samples: FloatArray) -> Curve:
    frames = len(samples) // 300
    return Curve(np.abs(samples[: frames * 300].reshape(frames, 300)).max(axis=1), 1 / 80)


def activity(samples: FloatArray, sample_rate_hz: int, pitch: Pitch) -> Curve:
    hop = sample_rate_hz // 100
    frames = len(samples) // hop
    loud = np.abs(samples[: frames * hop].reshape(frames, hop)).max(axis=1) > 1e-4
    return Curve(loud.astype(np.float32), 0.01, 0.005)


@dataclass(frozen=True)
class Mixdown:
    """A mix and the vocal in it."""

    mix: Audio
    vocal: Audio


def mix(converted: Audio, stems: Stems, device: str) -> Mixdown:
    backing = stems.backing
    at = np.arange(backing.length_samples) / backing.sample_rate_hz
    voice = np.interp(at, np.arange(converted.length_samples) / 24_000, converted.samples[0])
    placed = np.broadcast_to(voice.astype(np.float32), backing.samples.shape)
    rate = backing.sample_rate_hz
    return Mixdown(Audio(backing.samples + placed * np.float32(0.1), rate), Audio(placed, rate))


def encoders(device: str = "cpu") -> Encoders:
    from autovoice import io

    def unit(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        vector = np.ones(256, np.float32) + np.float32(samples.mean())
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def style(samples: FloatArray, embedding: FloatArray) -> FloatArray:
        return np.full(128, np.sqrt(np.mean(samples**2)), np.float32)

    return Encoders(
        embedding=unit,
        style=style,
        pitch=WavingPitch().track,
        resample=io.resample,
        read=io.read,
        identity="stand-ins",
    )


class Beeps:
    """Speech: a tenth of a second of sound for each phoneme; ``!`` is silent. May fail as a GPU."""

    def __init__(self, device: str = "cpu", full: str = "") -> None:
        self.device, self.full = device, full

    def features(self, utterance: Utterance, speaker: Speaker, *, speed: float) -> Any:
        if self.full and self.device.startswith(self.full):
            import torch

            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        seconds = len(utterance.phonemes) / 10 / speed / utterance.speed
        frames = round(seconds * 80)
        loud = 0.0 if utterance.phonemes == "!" else 0.5
        return Analysis(
            Pitch(np.zeros(frames, np.float32), np.ones(frames, np.float32), 1 / 80),
            Content(np.zeros((1, round(seconds * 50), 1), np.float32), (6,)),
            Curve(np.full(frames, loud, np.float32), 1 / 80),
            Curve(np.ones(frames, np.float32), 0.01),
            seconds,
        )


def read_text(
    text: str | Iterable[str],
    *,
    language: str,
    lexicon: Mapping[str, str] | None,
    ssml: bool | None,
) -> Iterator[Utterance]:
    """Read lines, or sentences that end with a stop: their letters are the phonemes."""
    if language != "en-us":
        raise InputError(f"language: found {language!r}, expected en-us")
    for part in text.split(".") if isinstance(text, str) else text:
        words = part.strip()
        if words.strip("?,; "):
            said = (lexicon or {}).get(words, words)
            yield Utterance(words, said, pause_s=0.25)


def builders(carrier: Carrier | None = None, **others: Any) -> Builders:
    """Return stand-ins for every stage."""
    kept = carrier or Carrier()
    made: dict[str, Any] = {
        "separator": lambda device: HalfSeparator(),
        "identity": lambda device: Identity(),
        "pitch": lambda device: WavingPitch(),
        "content": lambda device: MeanContent(),
        "converter": lambda device: kept,
        "vocoder": lambda device: CurveVocoder(),
        "encoders": encoders,
        "energy": energy,
        "activity": activity,
        "fit": lambda pitch, speaker: 12,
        "mix": mix,
        "speech": Beeps,
        "speech_vocoder": lambda device: CurveVocoder(),
        "text": read_text,
        "resident": ResidentBuilders(*4 * [lambda *_: None]),
        "carry": lambda device: lambda source, sung, pitch, near, out, own: np.copyto(out, sung),
    }
    return Builders(**{**made, **others})


def voice(name: str = "tester") -> Voice:
    """Return a voice of made-up numbers."""
    numbers = np.random.default_rng(7)
    embedding = numbers.standard_normal(256).astype(np.float32)
    return Voice(
        VoiceHeader(name=name, f0_median_hz=180.0, f0_low_hz=120.0, f0_high_hz=260.0),
        numbers.standard_normal(128).astype(np.float32),
        (embedding / np.linalg.norm(embedding)).astype(np.float32),
    )


def song(seconds: float = 4.0, rate: int = 44_100, channels: int = 2, seed: int = 1) -> Audio:
    """Return noise whose loudness swells slowly."""
    length = round(seconds * rate)
    noise = np.random.default_rng(seed).standard_normal((channels, length))
    swell = 0.1 + 0.05 * np.sin(np.arange(length) / rate * 2.0)
    return Audio((noise * swell).clip(-1, 1).astype(np.float32), rate)
