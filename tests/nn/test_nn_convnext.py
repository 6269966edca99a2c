"""The block's chunks equal the whole."""

from __future__ import annotations

import pytest
import torch

from autovoice.nn.convnext import ConvNeXtBlock


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_a_chunk_gives_what_the_whole_gives_in_the_inside(dilation: int) -> None:
    torch.manual_seed(0)
    block = ConvNeXtBlock(8, 16, dilation=dilation).eval()
    x = torch.randn(2, 8, 80)
    reach = 3 * dilation
    with torch.inference_mode():
        whole, part = block(x), block(x[:, :, 20:60])
    assert whole.shape == x.shape
    torch.testing.assert_close(
        part[:, :, reach:-reach], whole[:, :, 20 + reach : 60 - reach], atol=1e-5, rtol=0
    )
    # At the cut itself the frames before it are missing.
    assert float((part[:, :, 0] - whole[:, :, 20]).abs().max()) > 1e-4


def test_the_loudness_of_other_frames_does_not_matter() -> None:
    block = ConvNeXtBlock(8, 16).eval()
    x = torch.randn(1, 8, 40)
    louder = x.clone()
    louder[:, :, 20:] *= 1_000
    with torch.inference_mode():
        torch.testing.assert_close(block(louder)[:, :, :17], block(x)[:, :, :17])


def test_without_scale_it_is_the_identity() -> None:
    block = ConvNeXtBlock(4, 8).requires_grad_(False)
    block.scale.zero_()
    x = torch.randn(1, 4, 9)
    assert torch.equal(block(x), x)
