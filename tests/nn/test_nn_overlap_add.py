from __future__ import annotations

import pytest
import torch

from autovoice.nn.overlap_add import overlap_add


@pytest.mark.parametrize(("n_fft", "hop", "length"), [(4096, 1024, 20_001), (1024, 120, 24_000)])
def test_it_is_istft(n_fft: int, hop: int, length: int) -> None:
    sound, window = torch.randn(3, length), torch.hann_window(n_fft)
    spectrum = torch.stft(
        sound, n_fft, hop, window=window, pad_mode="constant", return_complex=True
    )
    spectrum = spectrum * torch.rand(spectrum.shape)
    wanted = torch.istft(spectrum, n_fft, hop, window=window, length=length)
    torch.testing.assert_close(
        overlap_add(spectrum, window, hop, length), wanted, atol=2e-6, rtol=0
    )
