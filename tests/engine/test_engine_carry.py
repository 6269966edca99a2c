"""Where the melody stays, the source's own excitation carries the voice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from standins import CurveVocoder, WavingPitch, builders, encoders, song, voice

from autovoice.engine import Engine
from autovoice.engine.carrying import Vocal, carrier_of
from autovoice.types import Audio, Curve, FloatArray, Pitch, Speaker
from autovoice.voices import Voice


def _engine(tmp_path: Path, **options: Any) -> Engine:
    return Engine("cpu", data_dir=tmp_path, builders=builders(**options))


def _carried(tmp_path: Path, samples: np.ndarray, **options: Any) -> list[tuple[int, ...]]:
    """Convert and tell what was carried."""
    seen: list[tuple[int, ...]] = []

    def carry(source: Any, converted: Any, pitch: Any, nearness: float, out: Any, own: Any) -> None:
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


def near_voice() -> Voice:
    """A voice that the stand-in for the encoder takes for anybody's own."""
    return replace(voice(), embedding=np.full(256, 1 / 16, np.float32))


class Scaled(CurveVocoder):
    """As loud as the first number of a style says."""

    def __init__(self) -> None:
        self.styles: list[float] = []

    def synthesise(self, features: Any, speaker: Speaker, *, seed: int = 0) -> Audio:
        self.styles.append(float(speaker.style[0]))
        sound = super().synthesise(features, speaker, seed=seed).samples
        return Audio(sound * speaker.style[0], 24_000)


class Kept:
    """Pieces of one conversion."""

    def __init__(self) -> None:
        self.sounds: dict[str, FloatArray] = {}

    def expect(self, total: int) -> None:
        assert total >= 1

    def load(self, name: str) -> FloatArray | None:
        return self.sounds.get(name)

    def save(self, name: str, samples: FloatArray) -> None:
        assert samples.ndim == 1
        self.sounds[name] = samples


def _own(tmp_path: Path, voice: Voice, vocoder: Scaled, **options: Any) -> list[Any]:
    """Convert and return converted vocal and own voice, as they were carried."""
    seen: list[Any] = []

    def carry(source: Any, converted: Any, pitch: Any, nearness: float, out: Any, own: Any) -> None:
        seen[:] = [np.array(converted), None if own is None else np.array(own)]
        out[:] = converted

    engine = _engine(tmp_path, carry=lambda device: carry, vocoder=lambda device: vocoder)
    source = Audio(song(4.0, 24_000, channels=1).samples, 24_000)
    engine.convert(source, voice, separate=False, semitones=0, **options)
    return seen


def test_the_vocal_is_decoded_in_its_own_voice_too(tmp_path: Path) -> None:
    vocoder, target = Scaled(), near_voice()
    converted, own = _own(tmp_path, target, vocoder)
    theirs, mine = vocoder.styles
    assert theirs == target.style[0] != mine  # the stand-in tells a style by the loudness
    assert mine == np.float32(np.sqrt(np.mean(song(4.0, 24_000, channels=1).samples ** 2)))
    np.testing.assert_allclose(own * theirs, converted * mine, rtol=1e-4, atol=1e-6)


def test_the_fast_preset_decodes_once(tmp_path: Path) -> None:
    vocoder = Scaled()
    _, own = _own(tmp_path, near_voice(), vocoder, preset="fast")
    assert own is None
    assert len(vocoder.styles) == 1


def test_a_stranger_is_decoded_once(tmp_path: Path) -> None:
    vocoder = Scaled()
    _, own = _own(tmp_path, voice(), vocoder)
    assert own is None
    assert len(vocoder.styles) == 1


def test_a_trained_voice_is_compared_with_the_recording() -> None:
    samples = song(2.0, 24_000, channels=1).samples[0]
    curves = (
        Pitch(np.full(250, 200.0, np.float32), np.ones(250, np.float32), 0.008),
        Curve(np.ones(160, np.float32), 1 / 80),
    )
    vocal = Vocal(20, samples[:32_000], samples, *curves, Curve(np.ones(200, np.float32), 0.01))
    plain = near_voice().speaker
    trained = replace(plain, adapter={"decoder.bias": np.ones(1, np.float32)})
    wanted = carrier_of(vocal, plain, encoders(), own_pass=True)
    assert wanted.own is not None
    found = carrier_of(vocal, trained, encoders(), own_pass=True)
    assert (found.own, found.nearness) == (None, wanted.nearness)


def test_too_little_sound_tells_nobodys_voice() -> None:
    samples = song(2.0, 24_000, channels=1).samples[0]
    quiet = Curve(np.r_[np.ones(90, np.float32), np.zeros(110, np.float32)], 0.01)
    pitch = Pitch(np.full(250, 200.0, np.float32), np.ones(250, np.float32), 0.008)
    vocal = Vocal(20, samples[:32_000], samples, pitch, quiet, quiet)
    found = carrier_of(vocal, near_voice().speaker, encoders(), own_pass=True)
    assert (found.own, found.nearness) == (None, 0.0)


def test_kept_pieces_hold_both_voices(tmp_path: Path) -> None:
    kept, first, second = Kept(), Scaled(), Scaled()
    wanted = _own(tmp_path, near_voice(), first, pieces=kept)
    assert all(name.endswith("-own") for name in kept.sounds)
    found = _own(tmp_path, near_voice(), second, pieces=kept)
    assert second.styles == []
    np.testing.assert_array_equal(found, wanted)


def test_memory_that_runs_out_while_the_singer_is_listened_to_is_tried_again(
    tmp_path: Path,
) -> None:
    listened: list[int] = []

    def embedding(samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        listened.append(len(samples))
        if len(listened) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return encoders().embedding(samples, sample_rate_hz)

    vocoder = Scaled()
    engine = _engine(
        tmp_path,
        encoders=lambda device: replace(encoders(), embedding=embedding),
        vocoder=lambda device: vocoder,
    )
    source = Audio(song(4.0, 24_000, channels=1).samples, 24_000)
    found = engine.convert(source, near_voice(), separate=False, semitones=0)
    assert "ran out of memory: pieces of 12 s" in found.notes[-1]
    assert len(vocoder.styles) == 2
