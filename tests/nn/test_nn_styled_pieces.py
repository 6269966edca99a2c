"""A block in pieces against the same block as a whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autovoice.nn import styled_pieces
from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.held_norm import HeldNorm

STYLE = 3


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styled_pieces, "PIECE_VALUES", 240)
    monkeypatch.setattr(styled_pieces, "LEAST_ROWS", 30)


def block(channels: int, kernel: int) -> AdaINResBlock1:
    made = AdaINResBlock1(channels, kernel, style_dim=STYLE).requires_grad_(False)
    for alpha in (*made.alpha1, *made.alpha2):
        alpha.copy_(0.2 + 2 * torch.rand_like(alpha))
    return made


def in_pieces(network: AdaINResBlock1, x: Tensor, style: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = network(x, style)
        assert found.stride(1) == 1, "not cut: its channels do not lie side by side"
        return found


@pytest.mark.parametrize("frames", [2, 29, 30, 31, 60, 173])
@pytest.mark.parametrize("kernel", [3, 11])
def test_pieces_are_the_whole(kernel: int, frames: int) -> None:
    torch.manual_seed(frames)
    network = block(6, kernel)
    x, style = 5 + 3 * torch.randn(2, 6, frames), torch.randn(2, STYLE)
    whole = network(x, style)
    torch.testing.assert_close(in_pieces(network, x, style), whole, atol=1e-4, rtol=1e-4)


def test_moments_hold_far_from_zero() -> None:
    torch.manual_seed(0)
    x = 500 + torch.randn(1, 4, 3_000)
    mean, variance = styled_pieces.moments(x)
    exact = x.double()
    torch.testing.assert_close(mean.double(), exact.mean(-1, keepdim=True), atol=1e-3, rtol=0)
    expected = exact.var(-1, correction=0, keepdim=True)
    torch.testing.assert_close(variance.double(), expected, atol=0, rtol=1e-3)


def test_held_statistics_reach_the_pieces() -> None:
    torch.manual_seed(0)
    network, style = block(6, 3), torch.randn(1, STYLE)
    spoken, sung = torch.randn(1, 6, 90), 4 * torch.randn(1, 6, 200)

    def run(again: bool) -> Tensor:
        held = HeldNorm(network)
        with held.listening():
            network(spoken, style)
        with held.holding():
            return in_pieces(network, sung, style) if again else network(sung, style)

    torch.testing.assert_close(run(True), run(False), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(run(True), in_pieces(network, sung, style), atol=0.1)


def test_what_a_training_puts_in_is_not_passed_over() -> None:
    torch.manual_seed(0)
    network = block(6, 3)
    x, style = torch.randn(1, 6, 90), torch.randn(1, STYLE)
    plain = in_pieces(network, x, style)
    handle = network.convs2[2].register_forward_hook(lambda _m, _i, made: made + 1)
    with torch.inference_mode():
        assert float((network(x, style) - plain).abs().max()) > 0.01
    handle.remove()
    network.activate = lambda x, _factors, _alpha: 0 * x
    with torch.inference_mode():
        assert float((network(x, style) - plain).abs().max()) > 0.01
