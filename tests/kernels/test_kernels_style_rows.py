"""Moments of rows, and the styled layer that doubles the rate."""

from __future__ import annotations

import pytest
import torch
from tests.kernels.cases import DEVICES, worst
from torch.nn import functional as F

from autovoice.kernels import row_moments, style_pool
from autovoice.kernels.style_conv1d import MOMENT_SCALE
from autovoice.nn.adain import modulate


def _type(device: str) -> torch.dtype:
    return torch.float32 if device == "cpu" else torch.float16


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("lengths", [None, (200, 3, 65)])
def test_moments_are_sums_over_time(device: str, lengths: tuple[int, ...] | None) -> None:
    x = (torch.randn(3, 200, 96) * 2 + 1).to(_type(device))
    counts = None if lengths is None else torch.tensor(lengths, dtype=torch.int32).to(device)
    found = row_moments(x.to(device), counts).cpu() / MOMENT_SCALE
    for item, count in enumerate(lengths or (200, 200, 200)):
        rows = x[item, :count].double()
        assert worst(found[item, 0], rows.sum(0)) < 1e-5
        assert worst(found[item, 1], rows.square().sum(0)) < 1e-5


@pytest.mark.parametrize("device", DEVICES)
def test_the_pool_is_what_the_layers_say(device: str) -> None:
    x = torch.randn(2, 45, 64).to(_type(device))
    factors, weight, bias = torch.randn(2, 128) * 0.5, torch.randn(3, 64), torch.randn(64)
    styled = F.leaky_relu(modulate(x.float().transpose(1, 2), factors), 0.2)
    expected = F.conv_transpose1d(
        styled, weight.T[:, None], bias, stride=2, padding=1, output_padding=1, groups=64
    ).transpose(1, 2)
    on = [t.to(device) for t in (x, row_moments(x), factors, weight, bias)]
    assert worst(style_pool(*on), expected) < (1e-5 if device == "cpu" else 2e-3)
    short = torch.tensor([45, 20], dtype=torch.int32).to(device)
    on[1] = row_moments(on[0], short)
    alone = [on[0][1:, :20].contiguous(), on[1][1:], on[2][1:], *on[3:]]
    assert worst(style_pool(*on, lengths=short)[1:, :40], style_pool(*alone)) < 1e-6


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    x = torch.randn(2, 40, 64, device=device).to(_type(device))
    arguments = (x, row_moments(x), *(torch.randn(*s, device=device) for s in ((2, 128), (3, 64))))
    ops = torch.ops.autovoice
    torch.library.opcheck(ops.row_moments.default, (x, None))
    bias = torch.randn(64, device=device)
    torch.library.opcheck(ops.style_pool.default, (*arguments, bias, None, 0.2))
