from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autovoice.nn.mel24k import HOP_SAMPLES, Mel24k, htk_filters, log_norm, mel24k


def _tone(f0_hz: float, seconds: float = 1.0, amplitude: float = 0.5) -> torch.Tensor:
    time_s = torch.arange(int(24_000 * seconds)) / 24_000
    return (amplitude * torch.sin(2 * math.pi * f0_hz * time_s))[None]


@pytest.mark.parametrize("length", [0, 299, 300, 1024, 1025, 24_000, 24_123])
def test_one_frame_per_300_samples_at_any_length(length: int) -> None:
    mel = mel24k(torch.zeros(2, length))
    assert mel.shape == (2, 80, length // 300)
    assert torch.isfinite(mel).all()


def test_silence_reads_the_floor() -> None:
    mel = mel24k(torch.zeros(1, 6000))
    torch.testing.assert_close(mel, torch.full_like(mel, (math.log(1e-5) + 4) / 4))
    expected = math.log(1e-5 * math.sqrt(80))
    torch.testing.assert_close(log_norm(mel), torch.full((1, 20), expected))


def test_filters_are_triangles_on_the_htk_scale() -> None:
    filters = htk_filters(80, 1025, 12_000.0)
    assert filters.shape == (1025, 80)
    # the mel of 12 kHz is 3266.1; filter 39 peaks at 40 / 81 of it: 2175.6 Hz
    peak_hz = 700 * (10 ** (3266.1 * 40 / 81 / 2595) - 1)
    assert float(filters[:, 39].argmax()) * 12_000 / 1024 == pytest.approx(peak_hz, abs=12)
    # neighbours add up to one between the first and the last peak
    inner = filters.sum(dim=1)[10:900]
    torch.testing.assert_close(inner, torch.ones_like(inner), atol=1e-4, rtol=0)


def test_a_tone_has_the_power_of_its_window() -> None:
    # |X| at the peak is amplitude * sum(window) / 2, the window's sum is 600; summed over the
    # filters (which add up to one) the power is amplitude^2 / 4 * N_FFT * sum(window^2).
    mel = mel24k(_tone(1000.0))[0, :, 20:60]
    power = torch.exp(4 * mel - 4).sum(dim=0)
    expected = 0.25 / 4 * 2048 * 450
    torch.testing.assert_close(power, torch.full_like(power, expected), rtol=2e-2, atol=0)


def test_twice_as_loud_is_log_four_more() -> None:
    quiet, loud = log_norm(mel24k(_tone(440.0))), log_norm(mel24k(_tone(440.0, amplitude=1.0)))
    torch.testing.assert_close(
        loud - quiet, torch.full_like(loud, math.log(4.0)), atol=1e-3, rtol=0
    )


def test_frame_k_is_centred_on_sample_300_k() -> None:
    samples = torch.zeros(1, 9000)
    samples[0, 15 * HOP_SAMPLES] = 1.0
    level = log_norm(mel24k(samples))[0]
    assert int(level.argmax()) == 15
    torch.testing.assert_close(level[14], level[16], atol=1e-3, rtol=0)


def test_gradients_reach_the_samples_even_in_silence() -> None:
    for samples in (torch.zeros(1, 3000), _tone(300.0, 0.2)):
        leaf = samples.clone().requires_grad_(True)
        log_norm(mel24k(leaf)).sum().backward()
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_a_batch_equals_its_rows() -> None:
    mel = Mel24k()
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 4800)).astype(np.float32))
    torch.testing.assert_close(mel(rows)[1:2], mel(rows[1:2]), atol=1e-5, rtol=1e-5)
