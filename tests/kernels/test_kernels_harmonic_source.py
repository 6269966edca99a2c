"""The excitation: against the layer it stands for, in pieces, over ten minutes, on the GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU, worst
from torch import Tensor

from autovoice.kernels import harmonic_source
from autovoice.kernels.philox import normal, words
from autovoice.nn.harmonic_source import HarmonicSource

WEIGHT = torch.tensor([0.9, -0.3, 0.2, 0.1, -0.2, 0.15, 0.05, 0.02, -0.1]) * 3
BIAS = torch.tensor([0.01])


def _melody(frames: int, batch: int = 2) -> Tensor:
    chance = torch.Generator().manual_seed(3)
    f0_hz = 220 * 2 ** (torch.randn(batch, frames, generator=chance).cumsum(1) * 0.02)
    f0_hz[:, ::17] = 0
    f0_hz[0, :5] = 0
    f0_hz[-1, frames // 2 : frames // 2 + 9] = 0
    return f0_hz


def _on(device: str, *tensors: Tensor) -> list[Tensor]:
    return [tensor.to(device) for tensor in tensors]


@pytest.mark.parametrize("device", DEVICES)
def test_it_is_what_the_layer_says(device: str) -> None:
    layer = HarmonicSource()
    with torch.no_grad():
        layer.l_linear.weight.copy_(WEIGHT[None])
        layer.l_linear.bias.copy_(BIAS)
    f0_hz, noise = _melody(61), torch.randn(2, 61 * 300)
    with torch.no_grad():
        expected = layer(f0_hz, noise)
    found, _ = harmonic_source(*_on(device, f0_hz, WEIGHT, BIAS), noise=noise.to(device))
    assert worst(found, expected) < 2e-5


@pytest.mark.parametrize("device", DEVICES)
def test_pieces_go_on_where_the_piece_before_ended(device: str) -> None:
    f0_hz = torch.full((1, 40), 311.1)
    seed = torch.tensor([[5, 0]])
    whole, end = harmonic_source(*_on(device, f0_hz, WEIGHT, BIAS), seed=seed.to(device))
    parts, phase = [], None
    for at in range(0, 40, 10):
        here = torch.tensor([[5, at * 300]]).to(device)
        part, phase = harmonic_source(
            *_on(device, f0_hz[:, at : at + 10], WEIGHT, BIAS), start_phase=phase, seed=here
        )
        parts.append(part)
    assert phase is not None
    assert worst(torch.cat(parts, 1), whole) < 2e-5
    assert worst(phase, end) < 1e-9


@pytest.mark.parametrize("device", DEVICES)
def test_the_phase_does_not_drift_over_ten_minutes(device: str) -> None:
    frames = 600 * 80
    f0_hz = torch.full((1, frames), 440.123)
    _, end = harmonic_source(*_on(device, f0_hz, WEIGHT[:1], BIAS))
    exact = float(f0_hz[0, 0]) * 600 % 1
    assert float(end[0]) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_without_a_voice_there_is_noise_alone(device: str) -> None:
    silent = torch.zeros(1, 30)
    found, end = harmonic_source(*_on(device, silent, WEIGHT, torch.zeros(1)))
    assert not found.any()
    assert float(end[0]) == 0.0
    noisy, _ = harmonic_source(
        *_on(device, silent, WEIGHT, torch.zeros(1)), seed=torch.tensor([[1, 0]]).to(device)
    )
    expected = 0.1 / 3 * float(WEIGHT.sum())
    assert float(noisy.std()) == pytest.approx(expected, rel=0.05)


def test_harmonics_beyond_half_the_rate_are_left_out() -> None:
    f0_hz = torch.full((1, 160), 2_500.0)
    found, _ = harmonic_source(f0_hz, torch.ones(9) * 0.1, torch.zeros(1))
    power = np.abs(np.fft.rfft(found[0, 3000:27000].numpy() * np.hanning(24000))) ** 2
    peaks = np.flatnonzero(power > power.max() * 0.1)
    assert set(np.round(peaks / 2500).astype(int)) == {1, 2, 3, 4}


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("frames", [1, 7, 255, 257, 9600])
def test_the_kernel_says_what_the_reference_says(frames: int) -> None:
    arguments = (_melody(frames), WEIGHT, BIAS)
    seed = torch.tensor([[3, 11], [2**40 + 1, 2**33]])
    phase = torch.tensor([0.25, 0.75], dtype=torch.float64)
    expected, end = harmonic_source(*arguments, start_phase=phase, seed=seed)
    found, found_end = harmonic_source(
        *_on("cuda", *arguments), start_phase=phase.cuda(), seed=seed.cuda()
    )
    assert worst(found, expected) < 2e-5
    assert worst(found_end, end) < 1e-6


def test_the_random_words_are_those_of_the_paper() -> None:
    # Salmon et al.'s known answers for counter and key of zeros.
    assert [hex(int(word)) for word in words(0, 0, 1)[:, 0]] == [
        "0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8",
    ]  # fmt: skip


def test_normal_numbers_do_not_depend_on_the_cut() -> None:
    whole = normal(9, 3, 1000)
    assert torch.equal(torch.cat([normal(9, 3, 401), normal(9, 404, 599)]), whole)
    many = normal(1, 0, 200_000)
    assert float(many.mean()) == pytest.approx(0, abs=0.01)
    assert float(many.std()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    tensors = _on(device, _melody(12), WEIGHT, BIAS)
    noise = torch.randn(2, 3600, device=device)
    torch.library.opcheck(
        torch.ops.autovoice.harmonic_source.default, (*tensors, None, noise, None, 300, 24_000)
    )
