from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from autovoice.nn.adain import AdainResBlk1d, AdaINResBlock1
from autovoice.nn.held_norm import HeldNorm


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = AdainResBlk1d(4, 6, style_dim=3)
        self.second = AdaINResBlock1(6, 3, style_dim=3)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x, style), style)
        return found


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small().requires_grad_(False)


def test_the_same_input_gives_the_same(small: Small) -> None:
    x, style = torch.randn(1, 4, 50), torch.randn(1, 3)
    plain = small(x, style)
    held = HeldNorm(small)
    with held.listening():
        listened = small(x, style)
    with held.holding():
        again = small(x, style)
    torch.testing.assert_close(listened, plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(again, plain, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(small(x, style), plain, atol=0, rtol=0)


def test_what_is_far_away_does_not_change_what_is_here(small: Small) -> None:
    style = torch.randn(1, 3)
    speech = torch.randn(1, 4, 80)
    long = torch.cat([speech, torch.ones(1, 4, 400)], dim=2)
    held = HeldNorm(small)
    with held.listening():
        spoken = small(speech, style)
    with held.holding():
        sung = small(long, style)
    # Away from the end, where convolutions reach over the join.
    torch.testing.assert_close(sung[..., :50], spoken[..., :50], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(small(long, style)[..., :50], spoken[..., :50], atol=0.1)


def test_an_error_inside_leaves_no_trace(small: Small) -> None:
    x, style = torch.randn(1, 4, 50), torch.randn(1, 3)
    plain = small(x, style)
    held = HeldNorm(small)
    with pytest.raises(RuntimeError), held.listening():
        small(torch.randn(1, 5, 50), style)
    torch.testing.assert_close(small(x, style), plain, atol=0, rtol=0)
