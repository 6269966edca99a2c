"""The graph-safe inverse transform equals PyTorch's own."""

from __future__ import annotations

import pytest
import torch

from autovoice.nn.inverse_stft import InverseStft


@pytest.mark.parametrize(("n_fft", "hop"), [(20, 5), (16, 4), (32, 4)])
@pytest.mark.parametrize("frames", [2, 5, 41])
def test_it_equals_torch_istft(n_fft: int, hop: int, frames: int) -> None:
    chance = torch.Generator().manual_seed(frames)
    shape = (3, n_fft // 2 + 1, frames)
    spectrum = torch.complex(
        torch.randn(shape, generator=chance), torch.randn(shape, generator=chance)
    )
    expected = torch.istft(spectrum, n_fft, hop, window=torch.hann_window(n_fft))
    found = InverseStft(n_fft, hop)(spectrum.real, spectrum.imag)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_sound_comes_back() -> None:
    sound = torch.randn(2, 305, generator=torch.Generator().manual_seed(1))
    spectrum = torch.stft(sound, 20, 5, window=torch.hann_window(20), return_complex=True)
    back = InverseStft(20, 5)(spectrum.real, spectrum.imag)
    torch.testing.assert_close(back, sound, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("n_fft", "hop"), [(20, 10), (20, 6), (21, 3)])
def test_a_hop_that_leaves_holes_is_refused(n_fft: int, hop: int) -> None:
    with pytest.raises(ValueError, match="hop: found"):
        InverseStft(n_fft, hop)
