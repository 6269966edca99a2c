"""Analysis to decoder features, on an adapter with random weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from autovoice import weights
from autovoice.convert import Converter, DecoderFeatures
from autovoice.convert.converter import HIGHEST_F0_HZ
from autovoice.errors import InputError
from autovoice.nn.content_adapter import ContentAdapter
from autovoice.types import Analysis, Content, Curve, Pitch, Speaker

VOICE = Speaker(np.zeros(128, np.float32), np.zeros(256, np.float32), 200.0, 100.0, 300.0)


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return ContentAdapter().state_dict()


@pytest.fixture(scope="module")
def converter(tensors: dict[str, torch.Tensor]) -> Converter:
    return Converter(tensors=tensors)


def _analysis(seconds: float, f0_hz: float = 200.0) -> Analysis:
    frames = round(seconds * 80)
    f0 = np.full(frames, f0_hz, np.float32)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2, max(1, round(seconds * 50)), 512)).astype(np.float32)
    return Analysis(
        Pitch(f0, np.ones_like(f0), 1 / 80, 0.5 / 80),
        Content(features, (4, 6)),
        Curve(np.full(frames, -3.0, np.float32), 1 / 80),
        Curve(np.ones(frames, np.float32), 1 / 80),
        seconds,
    )


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, 40), (0.73, 29), (0.01, 1)])
def test_40_frames_a_second(converter: Converter, seconds: float, frames: int) -> None:
    features = converter.convert(_analysis(seconds), VOICE)
    assert isinstance(features, DecoderFeatures)
    assert features.asr.shape == (512, frames)
    assert features.f0_hz.shape == features.energy.shape == (2 * frames,)
    for curve in (features.asr, features.f0_hz, features.energy):
        assert curve.dtype == np.float32
        assert np.isfinite(curve).all()


def test_the_layers_are_stacked_as_the_adapter_learned_them(
    converter: Converter, tensors: dict[str, torch.Tensor]
) -> None:
    analysis = _analysis(0.5)
    adapter = ContentAdapter().eval()
    adapter.load_state_dict(tensors)
    fourth, last = torch.from_numpy(analysis.content.features)
    with torch.inference_mode():
        expected = adapter(torch.cat([fourth.T, last.T])[None], 20)[0]
    found = converter.convert(analysis, VOICE).asr
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("layers", [(6, 4), (6,), (4, 5), (4, 5, 6)])
def test_other_layers_are_refused(converter: Converter, layers: tuple[int, ...]) -> None:
    analysis = _analysis(0.2)
    content = dataclasses.replace(analysis.content, layers=layers)
    with pytest.raises(InputError, match=r"expected \(4, 6\)"):
        converter.convert(dataclasses.replace(analysis, content=content), VOICE)


@pytest.mark.parametrize(
    ("f0_hz", "semitones", "expected_hz"),
    [
        (220.0, 0, 220.0),
        (220.0, 12, 440.0),
        (1_399.0, 0, 1_399.0),
        (900.0, 12, 900.0),
        (1_500.0, 0, 750.0),
        (1_000.0, 24, 1_000.0),
        (2_000.0, 24, 1_000.0),
        (0.0, 12, 0.0),
    ],
)
def test_notes_above_the_range_are_sung_octaves_lower(
    converter: Converter, f0_hz: float, semitones: float, expected_hz: float
) -> None:
    read = converter.convert(_analysis(0.2, f0_hz), VOICE, semitones=semitones).f0_hz
    assert read.max() <= HIGHEST_F0_HZ
    np.testing.assert_allclose(read, expected_hz, rtol=1e-4)


def test_energy_travels_unchanged(converter: Converter) -> None:
    np.testing.assert_allclose(converter.convert(_analysis(0.3), VOICE).energy, -3.0)


def test_the_program_brings_an_adapter_of_its_own() -> None:
    converter = Converter()
    assert set(weights.voice_model("adapter")) == set(converter.adapter.state_dict())
    assert not any(p.requires_grad for p in converter.adapter.parameters())
    asr = converter.convert(_analysis(0.5), VOICE).asr
    assert 0.01 < float(np.abs(asr).mean()) < 10
