from __future__ import annotations

import pytest
import torch

from autovoice.nn.spleeter_unet import STRIDE, SpleeterUNet


@pytest.fixture(scope="module")
def network() -> SpleeterUNet:
    torch.manual_seed(0)
    return SpleeterUNet().eval().requires_grad_(False)


def test_has_the_published_size(network: SpleeterUNet) -> None:
    assert sum(weight.numel() for weight in network.parameters()) == 9_823_749


def test_mask_has_the_shape_of_the_input_and_lies_in_0_to_1(network: SpleeterUNet) -> None:
    mask = network(torch.rand(2, 2, 64, 128))
    assert mask.shape == (2, 2, 64, 128)
    assert 0 <= mask.min() < mask.max() <= 1


def test_moving_the_input_by_the_stride_moves_the_mask(network: SpleeterUNet) -> None:
    # Away from the edges by more than the field of view, 192 frames, the answers must be the same.
    torch.manual_seed(1)
    sound = torch.rand(1, 2, 14 * STRIDE, STRIDE)
    middle = slice(6 * STRIDE, 7 * STRIDE)
    whole = network(sound)[:, :, middle]
    moved = network(sound[:, :, 2 * STRIDE :])[:, :, 4 * STRIDE : 5 * STRIDE]
    torch.testing.assert_close(moved, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(1, 2, 63, 64), (1, 2, 64, 100)])
def test_other_sizes_are_refused(network: SpleeterUNet, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiples of 64"):
        network(torch.zeros(shape))


def test_dropout_acts_in_training_only(network: SpleeterUNet) -> None:
    sound = torch.rand(1, 2, 64, 64)
    assert torch.equal(network(sound), network(sound))
    drops = [up.dropout.p for up in network.up]
    assert drops == [0.5, 0.5, 0.5, 0.0, 0.0, 0.0]
