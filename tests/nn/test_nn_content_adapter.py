"""Content frames are read at the decoder's frame centres."""

from __future__ import annotations

import pytest
import torch

from autovoice.nn.content_adapter import CONTEXT_FRAMES, ContentAdapter, read_at


def test_a_ramp_reads_its_own_position() -> None:
    ramp = torch.arange(51.0).expand(2, 3, 51)
    read = read_at(ramp, 40)
    expected = ((torch.arange(40) + 0.5) * 1.25).clamp(max=50)
    torch.testing.assert_close(read, expected.expand(2, 3, 40), atol=1e-5, rtol=0)


def test_between_two_frames_the_nearer_weighs_more() -> None:
    impulse = torch.zeros(1, 1, 10)
    impulse[..., 3] = 1.0
    # Frame 1 is read at 1.875, frame 2 at 3.125, frame 3 at 4.375.
    torch.testing.assert_close(read_at(impulse, 4)[0, 0], torch.tensor([0.0, 0.0, 0.875, 0.0]))


@pytest.mark.parametrize("count", [1, 2])
def test_past_the_end_the_last_frame_holds(count: int) -> None:
    read = read_at(torch.arange(1.0, count + 1)[None, None], 5)
    assert read.shape == (1, 1, 5)
    assert read[0, 0, 1:].tolist() == [float(count)] * 4


@pytest.fixture(scope="module")
def adapter() -> ContentAdapter:
    torch.manual_seed(0)
    return ContentAdapter(layers=2, layer_dim=16, channels=24, hidden=32).eval()


def test_shapes_and_the_shipped_size(adapter: ContentAdapter) -> None:
    assert adapter(torch.randn(2, 32, 50), 40).shape == (2, 512, 40)
    assert adapter(torch.randn(1, 32, 1), 1).shape == (1, 512, 1)
    size = sum(p.numel() for p in ContentAdapter().parameters())
    assert 8e6 < size < 12e6


def test_the_scale_of_a_layer_does_not_matter(adapter: ContentAdapter) -> None:
    content = torch.randn(1, 32, 30)
    louder = torch.cat([content[:, :16] * 300 + 40, content[:, 16:]], 1)
    with torch.inference_mode():
        torch.testing.assert_close(adapter(louder, 24), adapter(content, 24), atol=1e-3, rtol=0)


def test_nothing_further_than_the_context_is_heard(adapter: ContentAdapter) -> None:
    chance = torch.Generator().manual_seed(1)
    content = torch.randn(1, 32, 300, generator=chance)
    changed = content.clone()
    changed[:, :, 150] = torch.randn(1, 32, generator=chance)
    with torch.inference_mode():
        gap = (adapter(content, 240) - adapter(changed, 240)).abs().amax(dim=(0, 1))
    touched = torch.nonzero(gap).flatten()
    reach_s = CONTEXT_FRAMES / 50
    assert float((touched + 0.5).min()) / 40 > 3.0 - reach_s
    assert float((touched + 0.5).max()) / 40 < 3.0 + reach_s
    assert float(gap[119:121].max()) > 1e-3
