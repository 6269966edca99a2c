"""Judges for tests: quick, and they count how often they were asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from autovoice.eval.dio import dio
from autovoice.eval.figure import NotApplicable
from autovoice.eval.judges import Builders
from autovoice.eval.words import Transcript
from autovoice.types import Audio, FloatArray

RATE = 16_000
TEXT = "the same words are sung again"


def sung(f0_hz: float = 200.0, seconds: float = 4.0, rate: int = RATE, seed: int = 0) -> Audio:
    """Return a vowel with vibrato, rests between its notes, and a little noise."""
    at_s = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * f0_hz * (at_s + 0.003 * np.sin(2 * np.pi * 0.7 * at_s))
    sound = sum(np.sin(phase * k) / k for k in range(1, 9)) * (at_s % 1.5 < 1.1)
    noise = np.random.default_rng(seed).standard_normal(len(at_s))
    return Audio((0.1 * sound + 0.0001 * noise).astype(np.float32)[None], rate)


def silence(seconds: float = 4.0, rate: int = RATE) -> Audio:
    return Audio(np.zeros((1, round(seconds * rate)), np.float32), rate)


def noise(seconds: float = 4.0, rate: int = RATE) -> Audio:
    made = np.random.default_rng(3).standard_normal((2, round(seconds * rate)))
    return Audio((0.05 * made).astype(np.float32), rate)


@dataclass
class Judging:
    """The stand-ins of one test.

    Args:
        opinion: what DistillMOS reads.
        texts: what is heard, by turns; else always ``TEXT``.
    """

    opinion: float = 4.2
    texts: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    built: Counter[str] = field(default_factory=Counter)
    languages: list[str | None] = field(default_factory=list)

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        self.asked["encoder"] += 1
        spectrum = np.abs(np.fft.rfft(samples, 1 << 17))[: 1 << 16].reshape(256, 256).mean(axis=1)
        return (spectrum / np.linalg.norm(spectrum)).astype(np.float32)

    def transcribe_each(
        self, audio: Audio, language: str | None = None
    ) -> tuple[Transcript, Transcript]:
        self.asked["transcriber"] += 1
        self.languages.append(language)
        text = self.texts.pop(0) if self.texts else TEXT
        return Transcript(text, language or "en"), Transcript(text, language or "en")

    def score(self, audio: Audio) -> float:
        self.asked["distillmos"] += 1
        if audio.seconds < 0.5:
            raise NotApplicable(f"found {audio.seconds:.2f} s, needs 0.5 s")
        return self.opinion

    def score_parts(self, audio: Audio) -> Any:
        self.asked["dnsmos"] += 1
        return SimpleNamespace(ovrl=3.0, sig=3.5, bak=4.0)

    def track(self, recordings: Any) -> Any:
        self.asked["tracker"] += 1
        return dio(recordings)

    def builders(self, **others: Any) -> Builders:
        made: dict[str, Any] = {
            "encoder": self,
            "transcriber": self,
            "distillmos": self,
            "dnsmos": SimpleNamespace(score=self.score_parts),
            "tracker": self.track,
            **others,
        }

        def build(name: str) -> Any:
            def of(device: str, threads: int) -> Any:
                self.built[name] += 1
                if isinstance(made[name], Exception):
                    raise made[name]
                return made[name]

            return of

        return Builders(**{name: build(name) for name in made})
