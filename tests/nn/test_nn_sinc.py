"""Reading sound at another rate: tones kept where they belong, removed where they would fold."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autovoice.nn import sinc
from autovoice.nn.sinc import Downsample24To16, read_varispeed


def _tone(f0_hz: float, rate_hz: int, samples: int) -> Tensor:
    return torch.sin(2 * math.pi * f0_hz / rate_hz * torch.arange(samples, dtype=torch.float64))


@pytest.mark.parametrize("f0_hz", [0.0, 100.0, 1_000.0, 4_321.0, 6_500.0])
def test_a_tone_of_the_band_is_kept_sample_by_sample(f0_hz: float) -> None:
    expected = _tone(f0_hz, 16_000, 8_000)
    if not f0_hz:
        expected = expected + 1.0
        source = torch.ones(1, 12_000)
    else:
        source = _tone(f0_hz, 24_000, 12_000).float()[None]
    read = Downsample24To16()(source)[0]
    assert read.shape == (8_000,)
    gap = (read.double() - expected)[100:-100].abs().max()
    assert float(gap) < 0.01


@pytest.mark.parametrize("f0_hz", [9_000.0, 10_000.0, 11_900.0])
def test_a_tone_above_the_band_is_removed(f0_hz: float) -> None:
    read = Downsample24To16()(_tone(f0_hz, 24_000, 12_000).float()[None])[0, 100:-100]
    assert 20 * math.log10(float(read.abs().max())) < -40


@pytest.mark.parametrize("samples", [3, 30, 24_000])
def test_two_samples_for_three(samples: int) -> None:
    assert Downsample24To16()(torch.zeros(2, samples)).shape == (2, 2 * samples // 3)


def test_gradients_pass() -> None:
    audio = torch.zeros(1, 300, requires_grad=True)
    Downsample24To16()(audio)[0, 100].backward()
    assert int(audio.grad.abs().argmax()) == 150


def test_speed_one_is_the_identity() -> None:
    audio = torch.randn(500, generator=torch.Generator().manual_seed(0))
    read = read_varispeed(audio, torch.tensor([40, 200]), torch.ones(2), 100)
    torch.testing.assert_close(read[0], audio[40:140], atol=1e-5, rtol=0)
    torch.testing.assert_close(read[1], audio[200:300], atol=1e-5, rtol=0)


@pytest.mark.parametrize("speed", [0.8, 1.25, 2.0])
def test_speed_multiplies_the_frequency(speed: float) -> None:
    audio = _tone(440.0, 24_000, 24_000).float()
    read = read_varispeed(audio, torch.tensor([2_400]), torch.tensor([speed]), 8_000)[0]
    expected = torch.sin(
        2 * math.pi * 440 / 24_000 * (2_400 + speed * torch.arange(8_000, dtype=torch.float64))
    )
    assert float((read.double() - expected).abs().max()) < 0.02


def test_what_would_fold_is_removed() -> None:
    audio = _tone(9_000.0, 24_000, 24_000).float()
    kept = read_varispeed(audio, torch.tensor([2_400]), torch.tensor([1.0]), 8_000)
    faster = read_varispeed(audio, torch.tensor([2_400]), torch.tensor([2.0]), 8_000)
    assert float(kept.square().mean()) == pytest.approx(0.5, rel=0.01)
    assert float(faster.square().mean()) < 0.5e-4


def test_half_precision_is_read_too() -> None:
    audio = _tone(300.0, 24_000, 2_400).half()
    read = read_varispeed(audio, torch.tensor([0]), torch.tensor([1.0]), 2_400)
    assert read.dtype == torch.float32
    torch.testing.assert_close(read[0], audio.float(), atol=1e-5, rtol=0)


def test_items_read_in_several_passes_are_those_read_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audio = torch.randn(4_000, generator=torch.Generator().manual_seed(0))
    start, speed = torch.tensor([0, 700, 1_900]), torch.tensor([0.8, 1.0, 1.4])
    whole = read_varispeed(audio, start, speed, 600)
    monkeypatch.setattr(sinc, "_MOST_VALUES", 600 * 24 * 2)
    torch.testing.assert_close(read_varispeed(audio, start, speed, 600), whole)
