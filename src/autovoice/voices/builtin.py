"""Voices that come with the program: the packs of Kokoro-82M, under Apache-2.0.

One safetensors file holds, per name, ``<name>.style`` ``[128]``, ``<name>.embedding`` ``[256]``
and ``<name>.f0_hz`` ``[3]`` (median, 5th and 95th percentile), and in its header
``base_model_id``, ``base_model_sha256`` and ``licence``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from autovoice.errors import WeightsError
from autovoice.types import FloatArray
from autovoice.voices.profile import Voice, VoiceHeader

BUILTIN_FILE = "builtin-voices.safetensors"
BUILTIN_VOICES: Mapping[str, str] = {
    "alpha": "clear, high speaking voice (Kokoro jf_alpha)",
    "gongitsune": "warm narrator (Kokoro jf_gongitsune)",
    "nezumi": "light, soft voice (Kokoro jf_nezumi)",
    "tebukuro": "calm storyteller (Kokoro jf_tebukuro)",
    "kumo": "low voice (Kokoro jm_kumo)",
}


def builtin_voice(name: str, file: Path | None = None) -> Voice:
    """Return a built-in voice.

    Args:
        name: one of ``BUILTIN_VOICES``.
        file: the file to read. Default: the one that comes with the program.

    Raises:
        WeightsError: the file of built-in voices is missing or damaged.
    """
    style, embedding, f0_hz, metadata = _own(name) if file is None else _read(name, file)
    # Copies: a voice belongs to whoever asked for it.
    return _assemble(name, style.copy(), embedding.copy(), f0_hz, metadata)


_Read = tuple[FloatArray, FloatArray, FloatArray, Mapping[str, str]]


@cache
def _own(name: str) -> _Read:
    """Read a voice of the file that comes with the program, once: every call asks for one."""
    from autovoice import weights

    return _read(name, weights.bundled(BUILTIN_FILE))


def _read(name: str, file: Path) -> _Read:
    try:
        with safe_open(file, framework="np") as handle:
            metadata = handle.metadata() or {}
            style, embedding, f0_hz = (
                np.asarray(handle.get_tensor(f"{name}.{part}"), np.float32)
                for part in ("style", "embedding", "f0_hz")
            )
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{file}: built-in voice {name!r} cannot be read ({error}); install AutoVoice again"
        ) from error
    return style, embedding, f0_hz, metadata


def _assemble(
    name: str,
    style: FloatArray,
    embedding: FloatArray,
    f0_hz: FloatArray,
    metadata: Mapping[str, str],
) -> Voice:
    header = VoiceHeader(
        name=name,
        description=BUILTIN_VOICES[name],
        licence=metadata.get("licence", "Apache-2.0"),
        base_model_id=metadata.get("base_model_id", ""),
        base_model_sha256=metadata.get("base_model_sha256", ""),
        f0_median_hz=float(f0_hz[0]),
        f0_low_hz=float(f0_hz[1]),
        f0_high_hz=float(f0_hz[2]),
    )
    return Voice(header, style.reshape(-1), embedding.reshape(-1))
