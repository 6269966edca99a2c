"""Kokoro's voice packs as ways to speak: rhythm and melody without the timbre.

A pack is ``[510, 1, 256]``: a style for each length of text, timbre first (128), prosody after it.
Only that second half is read here; the timbre comes from the voice that speaks.

Source: Kokoro-82M (hexgrad, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from autovoice import weights
from autovoice.errors import WeightsError
from autovoice.types import FloatArray, Speaker

MODEL = "kokoro-82m"
PACKS_FILE = "voices_ja.npz"
BUILTIN_FILE = "builtin-voices.safetensors"
PROSODY_SIZE = 128


@dataclass(frozen=True, eq=False)
class Prosody:
    """How somebody speaks, whoever it is.

    Args:
        name: of the pack.
        styles: ``[510, 128]``, row ``n - 1`` for a text of ``n`` phonemes.
        f0_median_hz: median of the pitch with which this prosody speaks.
    """

    name: str
    styles: FloatArray
    f0_median_hz: float

    def style(self, phonemes: int) -> FloatArray:
        """Return the ``[128]`` of a text of so many phonemes, 1 or more."""
        row: FloatArray = self.styles[min(max(phonemes, 1), len(self.styles)) - 1]
        return row


def load_prosodies(
    packs_file: Path | None = None, pitch_file: Path | None = None
) -> dict[str, Prosody]:
    """Read the prosody half of every pack, by name.

    Args:
        packs_file: arrays ``<language><sex>_<name>``, ``[N, 1, 256]``. Default: Kokoro's own.
        pitch_file: safetensors with ``<name>.f0_hz``, median first. Default: that of the built-in
            voices, which come from the same packs.

    Raises:
        WeightsError: they cannot be had, or are not what they should be.
    """
    packs_file = packs_file or weights.file(MODEL, PACKS_FILE)
    pitch_file = pitch_file or weights.bundled(BUILTIN_FILE)
    try:
        with (
            np.load(packs_file, allow_pickle=False) as packs,
            safe_open(pitch_file, framework="np") as pitches,
        ):
            return {
                name: Prosody(
                    name,
                    np.ascontiguousarray(packs[key][:, 0, PROSODY_SIZE:], np.float32),
                    float(pitches.get_tensor(f"{name}.f0_hz")[0]),
                )
                for key in packs.files
                if (name := key.partition("_")[2])
            }
    except (OSError, ValueError, IndexError, SafetensorError) as error:
        raise WeightsError(
            f"{packs_file.name}: no voice packs ({error}); run `autovoice models verify`"
        ) from error


def nearest_prosody(prosodies: Mapping[str, Prosody], speaker: Speaker) -> Prosody:
    """Return the prosody whose pitch has to be moved least for a voice.

    Ties, and a voice whose pitch is not known, get the first.
    """
    known = list(prosodies.values())
    if speaker.f0_median_hz <= 0:
        return known[0]
    return min(known, key=lambda one: abs(float(np.log(one.f0_median_hz / speaker.f0_median_hz))))
