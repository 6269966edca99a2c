"""A small evaluation folder, and stand-ins for engine and scorer."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile

from autovoice import io
from autovoice.eval.card import Card, Gate, Recording, Words
from autovoice.eval.figure import Figure
from autovoice.types import Audio

RATE = 16_000
COLUMNS = ["file", "kind", "speaker_id", "sex", "language", "seconds", "note"]
LINES = (
    ("ann_acap.wav", "acapella", "ann", "", "en?", 3.0),
    ("bob_acap.wav", "acapella", "bob", "m", "", 2.0),
    ("ann_speech.wav", "speech_ref", "ann", "f (F0)", "en", 2.0),
    ("eva.wav", "speech_ref", "eva", "f", "en(zh L1)", 2.0),
    ("tom.wav", "speech_ref", "tom", "m", "pl", 2.0),
    ("made_mix.wav", "song_mix", "bob", "m", "", 2.0),
    ("made_voc.wav", "vocal_stem", "bob", "m", "", 2.0),
    ("made_acc.wav", "accompaniment", "", "", "", 2.0),
)


def folder(place: Path, lines: Any = LINES) -> Path:
    """Make an evaluation folder: tones, one per recording; the mix is the sum of its stems."""
    place.mkdir()
    sounds = {}
    for number, (name, *_, seconds) in enumerate(lines):
        time_s = np.arange(round(seconds * RATE)) / RATE
        sounds[name] = (0.1 * np.sin(2 * np.pi * (110 + 30 * number) * time_s)).astype(np.float32)
    if {"made_mix.wav", "made_voc.wav", "made_acc.wav"} <= set(sounds):
        sounds["made_mix.wav"] = sounds["made_voc.wav"] + sounds["made_acc.wav"]
    for name, samples in sounds.items():
        io.write(Audio(samples[None], RATE), place / name)
    manifest(place, lines)
    return place


def manifest(place: Path, lines: Any) -> None:
    with (place / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*line, "a note, with a comma"] for line in lines)


def read(path: Path) -> Audio:
    """Read in this process; the project's reader starts one for each file."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return Audio(np.ascontiguousarray(samples.T), rate)


@dataclass
class Engine:
    """Give the song back unchanged, and count; stop as one does with Ctrl-C after ``most``."""

    most: int = 999
    fails: str = ""
    device: str = "cpu"
    voices: list[str] = field(default_factory=list)
    songs: list[Audio] = field(default_factory=list)
    separated: list[bool] = field(default_factory=list)

    def voice(self, voice: Path) -> str:
        self.voices.append(voice.stem)
        return voice.stem

    def convert(self, song: Audio, voice: str, *, separate: bool, semitones: str) -> Any:
        assert semitones == "auto"
        if len(self.songs) == self.most:
            raise KeyboardInterrupt
        self.songs.append(song)
        self.separated.append(separate)
        if voice == self.fails:
            raise ValueError("the <b>voice</b> cracked")
        half = Audio(song.samples * np.float32(0.5), song.sample_rate_hz)
        stems = SimpleNamespace(vocals=half, backing=half, converted=half)
        return SimpleNamespace(
            audio=song,
            stems=stems,
            semitones=12,
            timings={"load": 0.0, "vocode": 0.5},
            notes=("hm",),
        )


@dataclass
class Scorer:
    """Give figures by the names of the two, and remember what was judged."""

    figures: Mapping[str, float] = field(default_factory=dict)
    heard: list[tuple[Audio, Audio, Audio, str, str | None]] = field(default_factory=list)

    def card(
        self,
        output: Audio,
        source: Audio,
        reference: Audio,
        *,
        kind: Any,
        semitones: float,
        language: str | None,
        names: tuple[str, str, str],
    ) -> Card:
        self.heard.append((output, source, reference, kind, language))
        figures = {
            "similarity_target": Figure(0.75),
            "cer": Figure(None, "the source has no words"),
            "distillmos": Figure(3.5),
            "length_error_samples": Figure(99.0),
            **{key: Figure(value) for key, value in self.figures.items()},
        }
        status = "pass" if source.seconds > 2.5 else "fail"
        gate = Gate("similarity", "similarity_target", "> 0.74", f"for a {kind}", 0.75, status)
        recordings = (Recording(name, "0" * 64, 1.0, RATE, 1) for name in names)
        words = Words("en", "a secret transcript", "a secret output", "greedy secret")
        span_s = (0.0, source.seconds)
        return Card(
            *recordings, kind, semitones, span_s, figures, (gate,), words, timings={"words": 0.25}
        )


def row(source: str, target: str = "x", **figures: float | None) -> dict[str, Any]:
    """Return a row as a run keeps it."""
    return {
        "key": f"{source} {target}",
        "source": source,
        "target": target,
        "kind": "song",
        "group": "song",
        "language": "en",
        "seconds": None,
        "format": 1,
        "commit": "abc",
        "error": None,
        "semitones": 0,
        "audio_seconds": 2.0,
        "figures": figures,
        "gates": [],
        "words": {"source": "secret"},
    }
