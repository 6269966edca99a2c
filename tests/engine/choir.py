"""Stand-ins that sing: every phoneme is spoken for 75 ms, the decoder hums the pitch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from standins import Beeps, builders

from autovoice.engine import Builders
from autovoice.errors import ResourceError
from autovoice.types import Audio, Speaker

TUNE = """<?xml version="1.0"?><score-partwise><work><work-title>Luna</work-title></work>
<part-list><score-part id="P1"><part-name>Voice</part-name></score-part></part-list><part id="P1">
<measure><attributes><divisions>1</divisions></attributes>
<direction><sound tempo="120"/></direction>{notes}</measure></part></score-partwise>"""
NOTES = (("C", 4, 2, "begin", "lu"), ("D", 4, 2, "end", "na"), ("", 0, 2, "", ""),
         ("A", 4, 4, "single", "mar"))  # fmt: skip


def tune(folder: Path, notes: tuple[Any, ...] = NOTES, name: str = "luna.musicxml") -> Path:
    """Write a score of (step, octave, quarters, syllabic, syllable), or a rest."""
    written = ""
    for step, octave, quarters, place, text in notes:
        sound = (
            f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>" if step else "<rest/>"
        )
        words = f"<lyric><syllabic>{place}</syllabic><text>{text}</text></lyric>" if text else ""
        written += f"<note>{sound}<duration>{quarters}</duration>{words}</note>"
    path = folder / name
    path.write_text(TUNE.format(notes=written), encoding="utf-8")
    return path


class Speaking(Beeps):
    """Say how a text is spoken; may fail as a GPU."""

    def features(self, utterance: Any, speaker: Speaker, *, speed: float) -> Any:
        if self.full and self.device.startswith(self.full):
            raise ResourceError(f"AcousticFront: {self.device} is out of memory")
        durations = np.full(len(utterance.phonemes) + 2, 3, np.int64)
        frames = int(durations.sum())

        class Spoken:
            asr = np.zeros((512, frames), np.float32)
            energy = np.ones(2 * frames, np.float32)

        Spoken.durations = durations  # type: ignore[attr-defined]
        return Spoken


class Humming:
    """Hum the pitch; silent where there is none."""

    def __init__(self) -> None:
        self.manners: list[Any] = []

    def synthesise(
        self, features: Any, speaker: Speaker, manner: Any = None, *, seed: int = 0
    ) -> Audio:
        self.manners.append(manner)
        f0_hz = np.repeat(features.f0_hz.astype(np.float64), 300)
        wave = 0.2 * np.sin(2 * np.pi * np.cumsum(f0_hz) / 24_000) * (f0_hz > 0)
        return Audio(wave.astype(np.float32)[None], 24_000)


def choir(**others: Any) -> Builders:
    """Return stand-ins for singing."""
    made = {"speech": Speaking, "speech_vocoder": lambda device: Humming(), "fit": _octave}
    return builders(**{**made, **others})


def _octave(pitch: Any, speaker: Speaker) -> int:
    return 0
