"""The generator's short transforms, there and back, with items of several lengths."""

from __future__ import annotations

import pytest
import torch
from tests.kernels.cases import DEVICES, ON_GPU, worst

from autovoice.kernels import polar_istft, polar_stft
from autovoice.kernels.polar_stft import BINS, WIDE
from autovoice.nn.inverse_stft import InverseStft


@pytest.mark.parametrize("device", DEVICES)
def test_there_and_back(device: str) -> None:
    sound = torch.randn(2, 1200) * 0.1
    rows = polar_stft(sound.to(device)).float()
    assert rows.shape == (2, 241, WIDE)
    assert not rows[:, :, 2 * BINS :].any()
    spectrum = torch.polar(rows[:, :, :BINS], rows[:, :, BINS : 2 * BINS]).transpose(1, 2).cpu()
    back = torch.istft(spectrum, 20, 5, window=torch.hann_window(20))
    assert worst(back, sound) < (1e-5 if device == "cpu" else 5e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_the_way_back_is_that_of_the_layer(device: str) -> None:
    x = torch.randn(2, 97, WIDE)
    phase = torch.sin(x[:, :, BINS : 2 * BINS])
    magnitude = x[:, :, :BINS].exp()
    parts = [(magnitude * f(phase)).transpose(1, 2) for f in (torch.cos, torch.sin)]
    expected = InverseStft(20, 5)(*parts)
    assert worst(polar_istft(x.to(device)), expected) < 2e-5


@pytest.mark.parametrize("device", DEVICES)
def test_items_end_where_they_end(device: str) -> None:
    sound = torch.randn(3, 600).to(device)
    lengths = torch.tensor([600, 155, 300], dtype=torch.int32).to(device)
    rows = polar_stft(sound, lengths)
    for item, count in enumerate(lengths.tolist()):
        alone = polar_stft(sound[item : item + 1, :count].contiguous())
        assert torch.equal(rows[item, : alone.shape[1]], alone[0])
        assert not rows[item, alone.shape[1] :].any()
    x = torch.randn(3, 121, WIDE).to(device)
    frames = (lengths // 5 + 1).int()
    back = polar_istft(x, frames)
    for item, count in enumerate(frames.tolist()):
        alone = polar_istft(x[item : item + 1, :count].contiguous())
        assert worst(back[item, : 5 * (count - 1)], alone[0]) < 1e-6
        assert not back[item, 5 * (count - 1) :].any()


@pytest.mark.gpu
@pytest.mark.skipif(not ON_GPU, reason="no GPU")
@pytest.mark.parametrize("samples", [15, 300, 24_005])
def test_the_kernels_say_what_the_references_say(samples: int) -> None:
    sound = torch.randn(2, samples) * 0.2
    rows, expected = polar_stft(sound.cuda()).float().cpu(), polar_stft(sound)
    assert worst(rows[:, :, :BINS], expected[:, :, :BINS]) < 2e-3
    # Angles of pi and -pi are one, and those of next to nothing mean nothing.
    sure = expected[:, :, :BINS] > 1e-3
    apart = (rows - expected)[:, :, BINS : 2 * BINS]
    apart = torch.remainder(apart + torch.pi, 2 * torch.pi) - torch.pi
    assert float(apart.abs()[sure].max()) < 5e-3


@pytest.mark.parametrize("device", DEVICES)
def test_opcheck(device: str) -> None:
    ops = torch.ops.autovoice
    torch.library.opcheck(ops.polar_stft.default, (torch.randn(2, 300, device=device), None))
    torch.library.opcheck(ops.polar_istft.default, (torch.randn(2, 61, WIDE, device=device), None))
