"""What a conversion returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from autovoice.types import Audio, FloatArray, RangeFit, ScoreCard, Stems

STEM_NAMES = ("vocals", "backing", "converted")
NOT_COMPARED = RangeFit(0, why_not="not compared")


@dataclass(frozen=True, eq=False)
class ConversionStems(Stems):
    """The parts of a cover, each as long as the song.

    Args:
        vocals: the source vocal.
        backing: everything else.
        converted: the new vocal alone, as it stands in the mix.
    """

    converted: Audio


@dataclass(frozen=True, eq=False)
class Speech(Audio):
    """Speech and how it came about: mono ``Audio`` at 24 kHz.

    Args:
        voice: name of the voice.
        device: where the voice model ran in the end.
        sentences: how many utterances it is made of.
        timings: seconds by stage; ``load`` is reading networks in, ``total`` the whole call.
        notes: what went otherwise than asked for, in words.
    """

    voice: str = ""
    device: str = ""
    sentences: int = 0
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the speech; the ending chooses the format (wav, flac, mp3, ogg, opus)."""
        from autovoice import io

        return io.write(self, path)


@dataclass(frozen=True, eq=False)
class Performance(Audio):
    """What was sung from notes and how it came about: the vocal, or its mix with a backing track.

    Args:
        vocal: the voice alone, mono at 24 kHz.
        voice: name of the voice.
        device: where the voice model ran in the end.
        title: of the piece, may be empty.
        part: name of the part that was sung.
        phrases: in how many breaths.
        semitones: the shift that was applied.
        range: how the melody fits the voice.
        timings: seconds by stage; ``load`` is reading networks in, ``total`` the whole call.
        notes: what went otherwise than written or asked for, in words.
    """

    vocal: Audio | None = None
    voice: str = ""
    device: str = ""
    title: str = ""
    part: str = ""
    phrases: int = 0
    semitones: int = 0
    range: RangeFit = NOT_COMPARED
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write it; the ending chooses the format (wav, flac, mp3, ogg, opus)."""
        from autovoice import io

        return io.write(self, path)

    def to_json(self) -> dict[str, Any]:
        """Return all but the sound, as ``--json`` tells it."""
        return {
            "seconds": self.seconds,
            "voice": self.voice,
            "device": self.device,
            "title": self.title,
            "part": self.part,
            "phrases": self.phrases,
            "semitones": self.semitones,
            "timings": {name: round(s, 4) for name, s in self.timings.items()},
            "notes": list(self.notes),
            "range": self.range.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Conversion:
    """A cover and how it came about.

    Args:
        audio: the mix, as long as the song.
        stems: its parts.
        semitones: the shift that was applied.
        voice: name of the target voice.
        device: where the voice model ran in the end.
        timings: seconds by stage; ``load`` is reading networks in, ``total`` the whole call.
        notes: what went otherwise than asked for, in words.
        score: the score summary; None when it was not asked for.
        range: how the song fits the voice, and which shift would fit better.
    """

    audio: Audio
    stems: ConversionStems
    semitones: int
    voice: str
    device: str
    timings: Mapping[str, float]
    notes: tuple[str, ...] = ()
    score: ScoreCard | None = None
    range: RangeFit = NOT_COMPARED

    def to_json(self) -> dict[str, Any]:
        """Return all but the sound, as ``--json`` and the service tell it."""
        return {
            "seconds": self.audio.seconds,
            "semitones": self.semitones,
            "voice": self.voice,
            "device": self.device,
            "timings": {name: round(s, 4) for name, s in self.timings.items()},
            "score": asdict(self.score) if self.score is not None else {},
            "notes": list(self.notes),
            "range": self.range.to_json(),
        }

    def scored_by(
        self, judge: Callable[[Audio, Audio, FloatArray, int], ScoreCard], reference: FloatArray
    ) -> Conversion:
        """Return the same conversion with its score.

        Args:
            judge: ``(converted, source vocal, reference, semitones) -> ScoreCard``.
            reference: ``[256]``, the speaker embedding of the target voice.
        """
        begin_s = time.perf_counter()
        card = judge(self.stems.converted, self.stems.vocals, reference, self.semitones)
        timings = {**self.timings, "score": time.perf_counter() - begin_s}
        return replace(self, score=card, timings=timings)

    def save(self, path: str | Path) -> Path:
        """Write the cover; the ending chooses the format (wav, flac, mp3, ogg, opus)."""
        from autovoice import io

        target = Path(path)
        io.write(self.audio, target)
        return target

    def save_stems(self, folder: str | Path) -> dict[str, Path]:
        """Write ``vocals.wav``, ``backing.wav`` and ``converted.wav`` and return their paths."""
        from autovoice import io

        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = {name: target / f"{name}.wav" for name in STEM_NAMES}
        for name, path in paths.items():
            io.write(getattr(self.stems, name), path)
        return paths
