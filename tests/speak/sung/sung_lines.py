"""Scores and a speaking front for tests of singing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autovoice.speak.score import Note, Score, Syllable
from autovoice.speak.utterance import Utterance
from autovoice.types import FloatArray, Speaker

FRAMES = 3  # of 25 ms for each phoneme


def line(*notes: tuple[float, float, float, str], seconds: float = 0.0) -> Score:
    """Return a score of (begin, end, key, syllable); hyphens as written, empty for a melisma."""
    made = []
    for begin_s, end_s, key, text in notes:
        words = []
        for part in filter(None, text.split("+")):
            place = {(0, 0): "single", (0, 1): "begin", (1, 1): "middle", (1, 0): "end"}
            kind = place[part.startswith("-"), part.endswith("-")]
            words.append(Syllable(part.strip("-"), kind))  # type: ignore[arg-type]
        made.append(Note(begin_s, end_s, key, tuple(words)))
    return Score(tuple(made), seconds or made[-1].end_s)


@dataclass(frozen=True, eq=False)
class Spoken:
    """How a text is spoken."""

    asr: FloatArray
    energy: FloatArray
    durations: np.ndarray


class Front:
    """Speak each phoneme for 75 ms; its number is its content, its code its loudness."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def features(self, utterance: Utterance, speaker: Speaker, *, speed: float) -> Spoken:
        self.heard.append(utterance.phonemes)
        symbols = f"\0{utterance.phonemes}\0"
        durations = np.full(len(symbols), FRAMES, np.int64)
        numbers = np.repeat(np.arange(len(symbols)), FRAMES).astype(np.float32)
        loud = np.repeat([0.0 if s == "\0" else float(s.isalpha()) for s in symbols], 2 * FRAMES)
        asr = np.broadcast_to(numbers, (512, len(numbers))).copy()
        return Spoken(asr, loud.astype(np.float32), durations)


def speaker(f0_median_hz: float = 220.0) -> Speaker:
    unit = np.zeros(256, np.float32)
    unit[0] = 1.0
    low, high = f0_median_hz * 0.75, f0_median_hz * 1.5
    return Speaker(np.zeros(128, np.float32), unit, f0_median_hz, low, high)
