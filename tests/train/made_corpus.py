"""A small packed corpus of two made voices, as ``train.prepare`` would write it."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from autovoice.train.phonemes import resources
from autovoice.types import FloatArray

SECONDS = 4.0
# Speakers and the pitch of each of their clips; a clip glides up by a fifth over its length.
VOICES = {"libri_low": (110.0, 120.0), "so_high": (230.0, 240.0)}


def contour(f0_hz: float, frames: int) -> FloatArray:
    """Glide from ``f0_hz`` a fifth up over ``frames`` of 12.5 ms."""
    return (f0_hz * 1.5 ** ((np.arange(frames) + 0.5) / frames)).astype(np.float32)


def sound(f0_hz: FloatArray, harmonics: int = 12) -> FloatArray:
    """Sing a curve of 80 frames/s at 24 kHz."""
    at = np.arange(300 * len(f0_hz)) / 300 - 0.5
    cycles = np.cumsum(np.interp(at, np.arange(len(f0_hz)), f0_hz)) / 24_000
    waves = sum(np.sin(2 * np.pi * k * cycles) / k for k in range(1, harmonics + 1))
    return (0.05 * waves).astype(np.float32)


def write_corpus(
    folder: Path, seconds: float = SECONDS, rate_hz: int = 24_000,
    bands_hz: Sequence[float] = (7_600.0, 7_600.0, 12_000.0, 12_000.0),
) -> None:  # fmt: skip
    """Write ``corpus.zip`` and ``corpus.npz``."""
    folder.mkdir(exist_ok=True)
    curves, speakers, names = [], [], []
    with zipfile.ZipFile(folder / "corpus.zip", "w") as archive:
        for speaker, pitches in VOICES.items():
            for f0_hz in pitches:
                curves.append(contour(f0_hz, round(80 * seconds)))
                data = io.BytesIO()
                soundfile.write(data, sound(curves[-1])[:: 24_000 // rate_hz], rate_hz, "PCM_16",
                                format="WAV")  # fmt: skip
                names.append(f"{len(names)}.wav")
                speakers.append(speaker)
                archive.writestr(names[-1], data.getvalue())
    np.savez(
        folder / "corpus.npz",
        f0=np.concatenate(curves).astype(np.float16),
        offsets=np.cumsum([0, *(len(curve) for curve in curves)]),
        names=np.array(names),
        speakers=np.array(speakers),
        band_hz=np.array(bands_hz, np.float32),
    )


def write_bank(path: Path) -> None:
    """Write two short sentences as a phoneme bank."""
    vocabulary = resources()["vocabulary"]
    rows = [[vocabulary[c] for c in text] for text in ("mˈama lˈOla.", "kˈɑt ɐ dˈɔɡ")]
    np.savez(
        path,
        tokens=np.array(list(itertools.chain(*rows)), np.int16),
        offsets=np.array([0, *itertools.accumulate(map(len, rows))], np.int64),
        kind=np.zeros(2, np.int8),
    )
