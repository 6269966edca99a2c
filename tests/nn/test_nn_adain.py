"""Adaptive instance normalisation against its formula."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autovoice.nn.adain import AdaIN1d, AdainResBlk1d, AdaINResBlock1, adain_snake


def test_adain_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = AdaIN1d(6, 4)
    x, style = 3 + 2 * torch.randn(2, 4, 50), torch.randn(2, 6)
    mean = x.mean(2, keepdim=True)
    deviation = (x.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    factors = style @ layer.fc.weight.T + layer.fc.bias
    gamma, beta = factors[:, :4, None], factors[:, 4:, None]
    expected = (1 + gamma) * (x - mean) / deviation + beta
    torch.testing.assert_close(layer(x, style), expected, atol=1e-5, rtol=1e-5)


def test_what_a_style_asks_for_is_what_comes_out() -> None:
    layer = AdaIN1d(1, 2).requires_grad_(False)
    layer.fc.weight.zero_()
    layer.fc.bias.copy_(torch.tensor([1.0, -0.5, 7.0, -3.0]))
    out = layer(100 * torch.randn(1, 2, 4_000) + 9, torch.zeros(1, 1))[0]
    torch.testing.assert_close(out.mean(1), torch.tensor([7.0, -3.0]), atol=1e-3, rtol=0)
    torch.testing.assert_close(out.std(1), torch.tensor([2.0, 0.5]), atol=1e-3, rtol=0)


def test_snake_adds_a_squared_sine() -> None:
    x = torch.randn(1, 3, 20)
    alpha = torch.tensor([0.5, 1.0, 4.0])[None, :, None]
    plain = functional.instance_norm(x)
    expected = plain + torch.sin(alpha * plain) ** 2 / alpha
    torch.testing.assert_close(adain_snake(x, torch.zeros(1, 6), alpha), expected)


@pytest.mark.parametrize(("dims", "upsample"), [((6, 6), False), ((6, 4), False), ((6, 4), True)])
def test_the_block_keeps_or_doubles_the_rate(dims: tuple[int, int], upsample: bool) -> None:
    block = AdainResBlk1d(*dims, style_dim=5, upsample=upsample)
    out = block(torch.randn(2, dims[0], 13), torch.randn(2, 5))
    assert out.shape == (2, dims[1], 26 if upsample else 13)


def test_without_its_convolutions_the_block_is_the_shortcut() -> None:
    block = AdainResBlk1d(3, 3, style_dim=2, upsample=True).requires_grad_(False)
    block.conv2.weight.zero_()
    block.conv2.bias.zero_()
    x = torch.randn(1, 3, 5)
    out = block(x, torch.zeros(1, 2))
    torch.testing.assert_close(out, x.repeat_interleave(2, dim=2) / 2**0.5)


def test_the_vocoder_block_is_residual_and_styled() -> None:
    torch.manual_seed(1)
    block = AdaINResBlock1(4, 7, style_dim=3).requires_grad_(False)
    x, style = torch.randn(1, 4, 40), torch.randn(1, 3)
    assert block(x, style).shape == x.shape
    assert float((block(x, style) - block(x, -style)).abs().max()) > 1e-3
    for conv in block.convs2:
        conv.weight.zero_()
        conv.bias.zero_()
    assert torch.equal(block(x, style), x)
