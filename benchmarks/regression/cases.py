"""What is timed: the stages that a conversion on the CPU goes through, short of whole songs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autovoice.types import Audio, Curve, FloatArray, Pitch, Speaker, Stems

Work = Callable[[], Any]
SECONDS = 1.0


@dataclass(frozen=True)
class Case:
    """Work to be timed.

    Args:
        prepare: loads what is needed and returns the work, which may be done again and again.
        like: the calibration loop that does the same kind of work.
    """

    prepare: Callable[[], Work]
    like: str


def sung(rate_hz: int, seconds: float = SECONDS) -> FloatArray:
    """Return a voice-like sound, ``[T]``: falling harmonics of 220 Hz in phrases, and noise."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    partials = [np.sin(2 * np.pi * 220 * k * time_s + k * k) / k for k in range(1, 20)]
    noise = np.random.default_rng(1).standard_normal(len(time_s))
    made = 0.15 * np.stack(partials).sum(axis=0) * (time_s % 0.5 < 0.4) + 0.002 * noise
    return np.asarray(made, np.float32)


def _pitch(seconds: float = SECONDS) -> Pitch:
    f0_hz = np.full(round(seconds * 62.5) + 1, 220.0, np.float32)
    return Pitch(f0_hz, np.ones_like(f0_hz), 0.016)


def _speaker() -> Speaker:
    chance = np.random.default_rng(2)
    style, embedding = (chance.standard_normal(n).astype(np.float32) * 0.1 for n in (128, 256))
    return Speaker(style, embedding / np.linalg.norm(embedding), 220.0, 110.0, 440.0)


def _separate() -> Work:
    from autovoice.separate.spleeter import Spleeter

    stage, song = Spleeter(), np.stack([sung(44_100), 0.7 * sung(44_100)])
    return partial(stage.separate, Audio(song, 44_100))


def _track() -> Work:
    from autovoice.analyse.pitch import SwiftF0Tracker

    return partial(SwiftF0Tracker().track, sung(16_000))


def _loudness() -> Work:
    from autovoice.analyse.activity import activity
    from autovoice.analyse.loudness import at_level, decoder_energy, level_gain

    at_16k, at_24k, pitch = sung(16_000, 4), sung(24_000, 4), _pitch(4)

    def work() -> object:
        gain = level_gain(at_24k, 24_000)
        return at_level(decoder_energy(at_24k), gain), activity(at_16k, 16_000, pitch)

    return work


def _words() -> Work:
    from autovoice.analyse.content import ContentEncoder

    return partial(ContentEncoder().encode, sung(16_000))


def _convert() -> Work:
    from autovoice.convert import Converter
    from autovoice.convert.converter import CONTENT_LAYERS
    from autovoice.types import Analysis, Content

    chance, curve = np.random.default_rng(3), Curve(np.ones(80, np.float32), 1 / 80)
    content = Content(chance.standard_normal((2, 50, 512)).astype(np.float32), CONTENT_LAYERS)
    analysis = Analysis(_pitch(), content, curve, curve, SECONDS)
    return partial(Converter().convert, analysis, _speaker(), semitones=2)


def _vocode() -> Work:
    from autovoice.convert import DecoderFeatures
    from autovoice.vocode import Vocoder

    frames, chance = 8, np.random.default_rng(4)
    asr = np.asarray(chance.standard_normal((512, frames)), np.float32)
    features = DecoderFeatures(
        asr, np.full(2 * frames, 220.0, np.float32), np.ones(2 * frames, np.float32)
    )
    return partial(Vocoder().synthesise, features, _speaker(), seed=0)


def _carry() -> Work:
    from autovoice.vocode.differential import carry_excitation

    source, made = sung(24_000, 2), np.roll(sung(24_000, 2), 50) * 0.8
    out = np.empty_like(source)
    return partial(carry_excitation, source, made, _pitch(2), gain=1.0, device="cpu", out=out)


def _mix() -> Work:
    """Mix so loud that the limiter has to work."""
    from autovoice.mix import MixOptions, mixdown

    vocal = np.stack([sung(44_100, 2), 0.6 * sung(44_100, 2)])
    noise = np.random.default_rng(5).standard_normal(vocal.shape)
    backing = np.asarray(0.3 * noise, np.float32)
    stems = Stems(Audio(vocal, 44_100), Audio(backing, 44_100))
    new = Audio(sung(24_000, 2.1)[None], 24_000)
    return partial(mixdown, new, stems, MixOptions(vocal_gain_db=6))


def _phonemes() -> Work:
    from autovoice.speak.text import utterances

    line = "Read the 3rd verse slowly, then sing it again with Dr. Brown at half past nine. "

    def work() -> object:
        return list(utterances(line * 2, language="en-us", lexicon=None, ssml=False))

    return work


def _queue() -> Work:
    """Queue the passes of many calls and take them in batches: what the engine itself costs."""
    from autovoice.engine.batching import Call
    from autovoice.engine.batching.queue import FairQueue, Job

    calls = [Call() for _ in range(40)]

    def work() -> object:
        queue, batches = FairQueue(), 0
        for number in range(400):
            queue.push(Job(number, list, int, key=number % 4, call=calls[number % 40]))
        while batch := queue.peek(lambda _: 64, 1 << 62):
            queue.take(batch)
            batches += 1
        return batches

    return work


CASES: dict[str, Case] = {
    "separate 1 s": Case(_separate, "network"),
    "pitch 1 s": Case(_track, "network"),
    "loudness and activity 4 s": Case(_loudness, "arrays"),
    "words 1 s": Case(_words, "network"),
    "convert 1 s": Case(_convert, "network"),
    "vocode 0.2 s": Case(_vocode, "network"),
    "carry 2 s": Case(_carry, "arrays"),
    "mix 2 s": Case(_mix, "arrays"),
    "phonemes of a text": Case(_phonemes, "python"),
    "400 jobs through the queue": Case(_queue, "python"),
}
