"""The excitation: exact pitch, phase that goes on, silence where unvoiced, nothing folded."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from autovoice.nn.harmonic_source import SINE_AMPLITUDE, HarmonicSource

RATE = 24_000


def _source(*weights: float) -> HarmonicSource:
    """Mix the harmonics by ``weights``, the fundamental first; no bias."""
    source = HarmonicSource().requires_grad_(False)
    source.l_linear.bias.zero_()
    source.l_linear.weight.zero_()
    source.l_linear.weight[0, : len(weights)] = torch.tensor(weights)
    return source


def _power(signal: Tensor) -> tuple[Tensor, Tensor]:
    window = torch.hann_window(signal.shape[-1], dtype=torch.float64)
    power = torch.fft.rfft(signal.double() * window).abs().square()
    return power, torch.fft.rfftfreq(signal.shape[-1], 1 / RATE)


@pytest.mark.parametrize("f0_hz", [65.4, 220.0, 441.7, 1_108.7])
def test_a_steady_tone_has_its_frequency_to_half_a_cent(f0_hz: float) -> None:
    sound = _source(0.1)(torch.full((1, 160), f0_hz))[0].double()
    # The phase of the analytic signal at two places, a whole number of turns apart, counts cycles.
    time = torch.arange(len(sound), dtype=torch.float64)
    base = sound * torch.exp(-2j * math.pi * f0_hz / RATE * time)
    window = torch.hann_window(12_000, dtype=torch.float64)
    first, last = ((base[at : at + 12_000] * window).sum() for at in (0, 36_000))
    turned = torch.angle(last / first) / (2 * math.pi)
    found_hz = f0_hz + float(turned) / (36_000 / RATE)
    assert abs(1200 * math.log2(found_hz / f0_hz)) < 0.5


def test_the_first_samples_are_those_of_a_sine() -> None:
    sound = _source(1.0)(torch.full((1, 4), 300.0))[0]
    angle = 2 * math.pi * 300 / RATE * torch.arange(1, 1201, dtype=torch.float64)
    expected = torch.tanh(SINE_AMPLITUDE * torch.sin(angle)).float()
    torch.testing.assert_close(sound, expected, atol=2e-6, rtol=0)


def test_a_chunk_goes_on_where_the_last_one_ended() -> None:
    source = _source(0.5, 0.4, 0.3)
    f0_hz = torch.full((1, 80), 233.3)
    whole = source(f0_hz)
    cycles = torch.tensor([40 * 300 * 233.3 / RATE])
    second = source(f0_hz[:, 40:], start_phase=cycles)
    torch.testing.assert_close(second, whole[:, 12_000:], atol=2e-4, rtol=0)
    # Without the phase it would not fit.
    assert float((source(f0_hz[:, 40:]) - whole[:, 12_000:]).abs().max()) > 0.02


def test_a_glide_has_no_jump() -> None:
    f0_hz = torch.linspace(100, 400, 80)[None]
    sound = _source(1.0)(f0_hz)[0]
    steepest = SINE_AMPLITUDE * 2 * math.pi * 400 / RATE
    assert float(sound.diff().abs().max()) <= steepest * 1.001


def test_unvoiced_is_silent_without_noise_and_pitch_does_not_slide_at_its_edge() -> None:
    f0_hz = torch.zeros(1, 60)
    f0_hz[:, 20:40] = 240.0
    source = _source(1.0)
    sound = source(f0_hz)[0]
    assert torch.count_nonzero(sound[: 20 * 300]) == 0
    assert torch.count_nonzero(sound[40 * 300 :]) == 0
    voiced = sound[20 * 300 : 40 * 300]
    # 240 Hz repeats after 100 samples: a slide from 0 Hz at the edge would not.
    torch.testing.assert_close(voiced[100:200], voiced[:100], atol=1e-4, rtol=0)
    torch.testing.assert_close(voiced[-100:], voiced[:100], atol=1e-4, rtol=0)
    assert torch.count_nonzero(source(torch.zeros(2, 5))) == 0
    assert torch.count_nonzero(source(torch.full((1, 5), 9.9))) == 0


def test_noise_is_a_tenth_part_where_voiced() -> None:
    noise = torch.randn(1, 80 * 300, generator=torch.Generator().manual_seed(0))
    source = _source(0.01)
    hiss = source(torch.zeros(1, 80), noise)
    expected = 0.01 * SINE_AMPLITUDE / 3
    assert float(hiss.std()) == pytest.approx(expected, rel=0.03)
    f0_hz = torch.full((1, 80), 200.0)
    breath = source(f0_hz, noise) - source(f0_hz)
    assert float(breath.std()) == pytest.approx(0.01 * 0.003, rel=0.05)


def test_no_harmonic_folds_back_from_above_the_nyquist_frequency() -> None:
    # Of 1,900 Hz the ninth harmonic would lie at 17.1 kHz and fold to 6.9 kHz; 6 x 1.9 = 11.4.
    small = [1e-3] * 9  # so small that the tanh adds nothing
    sound = _source(*small)(torch.full((1, 160), 1_900.0))[0]
    power, hz = _power(sound)
    tones = [1_900.0 * k for k in range(1, 7)]
    near = torch.stack([(hz - tone).abs() < 5 for tone in tones]).any(0)
    assert float(power[near].sum() / power.sum()) > 1 - 1e-6
    for tone in tones:
        assert float(power[(hz - tone).abs() < 5].max()) > 0.5 * float(power.max())


def test_gradients_reach_the_mix_but_not_the_pitch() -> None:
    source = HarmonicSource()
    f0_hz = torch.full((1, 3), 200.0, requires_grad=True)
    source(f0_hz).square().sum().backward()
    assert f0_hz.grad is None
    assert float(source.l_linear.weight.grad.abs().sum()) > 0
