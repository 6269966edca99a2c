"""Where the melody stays, the source's own excitation carries the voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from standins import WavingPitch, builders, song, voice

from autovoice.engine import Engine
from autovoice.types import Audio


def _engine(tmp_path: Path, **options: Any) -> Engine:
    return Engine("cpu", data_dir=tmp_path, builders=builders(**options))


def _carried(tmp_path: Path, samples: np.ndarray, **options: Any) -> list[tuple[int, ...]]:
    """Convert and tell what was carried."""
    seen: list[tuple[int, ...]] = []

    def carry(source: Any, converted: Any, pitch: Any, nearness: float, out: Any) -> None:
        assert -1 <= nearness <= 1.0001
        seen.append((len(source), len(converted), int((pitch.f0_hz > 0).sum())))
        out[:] = converted

    source = Audio(samples, 24_000)
    _engine(tmp_path, carry=lambda device: carry).convert(
        source, voice(), separate=False, **options
    )
    return seen


def test_the_source_carries_the_voice_where_the_melody_stays(tmp_path: Path) -> None:
    samples = song(2.0, 24_000, channels=1).samples
    ((source, converted, voiced),) = _carried(tmp_path, samples, semitones=0)
    assert source == converted == 48_000
    assert voiced > 100
    assert _carried(tmp_path, samples, semitones=-3) == []
    assert _carried(tmp_path, 0 * samples, semitones=0) == []


def test_a_whisper_is_left_to_the_decoder(tmp_path: Path) -> None:
    class Whispered(WavingPitch):
        def track(self, samples: Any) -> Any:
            pitch = super().track(samples)
            pitch.f0_hz[len(pitch.f0_hz) // 5 :] = 0
            return pitch

    seen: list[int] = []
    engine = _engine(
        tmp_path,
        pitch=lambda device: Whispered(),
        carry=lambda device: lambda *inputs: seen.append(1),
    )
    engine.convert(song(2.0, 24_000, channels=1), voice(), separate=False, semitones=0)
    assert seen == []
