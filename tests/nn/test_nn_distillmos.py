"""The Distill-MOS network: its spectrum, its attention against PyTorch's own, its shapes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autovoice.nn.distillmos import (
    FEATURES,
    FRAMES,
    HEADS,
    SEGMENT_SAMPLES,
    WIDTH,
    AttentionPool,
    DistillMosNetwork,
    EncoderLayer,
    compressed_spectrum,
)


@pytest.fixture(scope="module")
def network() -> DistillMosNetwork:
    torch.manual_seed(0)
    return DistillMosNetwork().eval().requires_grad_(False)


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_the_spectrum_keeps_the_phase_and_compresses_the_magnitude() -> None:
    samples = 0.1 * _noise(1, 3200)
    found = compressed_spectrum(samples)
    assert found.shape == (1, 2, 161, 20)
    # Frame 5 begins half a window less half a hop before sample 800.
    cut = samples[0, 720:1040].double() * torch.hann_window(320).double()
    wanted = torch.fft.rfft(cut)
    ours = torch.complex(found[0, 0, :, 5].double(), found[0, 1, :, 5].double())
    torch.testing.assert_close(ours.abs(), wanted.abs() ** 0.3, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(ours / ours.abs(), wanted / wanted.abs(), atol=1e-3, rtol=0)


def test_a_silent_spectrum_is_zero_and_finite() -> None:
    assert float(compressed_spectrum(torch.zeros(1, 1600)).abs().max()) == 0.0


def test_a_layer_is_the_post_norm_transformer_layer() -> None:
    torch.manual_seed(2)
    ours = EncoderLayer(WIDTH, HEADS, 2 * WIDTH).eval().requires_grad_(False)
    theirs = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, dropout=0.0, batch_first=True)
    theirs = theirs.eval().requires_grad_(False)
    theirs.load_state_dict(ours.state_dict())
    hidden = _noise(2, 30, WIDTH)
    torch.testing.assert_close(ours(hidden), theirs(hidden), atol=1e-5, rtol=1e-5)


def test_even_weights_pool_the_mean() -> None:
    torch.manual_seed(3)
    pool = AttentionPool(6).requires_grad_(False)
    pool.linear2.weight.zero_()
    hidden = _noise(2, 9, 6)
    wanted = pool.linear3(hidden.mean(dim=1)).squeeze(-1)
    torch.testing.assert_close(pool(hidden), wanted)


def test_scores_lie_in_range_and_do_not_hear_the_level(network: DistillMosNetwork) -> None:
    samples = 0.1 * _noise(1, SEGMENT_SAMPLES)
    both = torch.cat((samples, 3.0 * samples))
    features = network.features(both)
    assert features.shape == (2, FRAMES, FEATURES)
    scores = network.opinion(features)
    assert scores.shape == (2,)
    assert ((scores >= 1.0) & (scores <= 5.0)).all()
    torch.testing.assert_close(scores[0], scores[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(network(samples)[0], scores[0], atol=1e-4, rtol=0)
