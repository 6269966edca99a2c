"""A short inverse Fourier transform that a CUDA graph can hold.

``torch.istft`` asks the device whether its windows overlap, which stops a capture, and plans a
transform for frames of 20 samples, where a small matrix product is quicker.

Source: weighted overlap-add (Griffin and Lim 1984).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InverseStft(nn.Module):
    """Turn spectra of Hann-windowed, centred frames into sound, as ``torch.istft`` does.

    Args:
        n_fft: length of a frame in samples, even.
        hop: samples between frames; a divisor of ``n_fft`` and at most a quarter of it.

    Raises:
        ValueError: a hop that does not divide the frame into four or more.
    """

    basis: Tensor
    square: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        if n_fft % 2 or n_fft % hop or n_fft < 4 * hop:
            raise ValueError(f"hop: found {hop}, expected a divisor of {n_fft}, at most a quarter")
        self.n_fft, self.hop = n_fft, hop
        window = torch.hann_window(n_fft, dtype=torch.float64)
        bins = n_fft // 2 + 1
        # What each bin's real and imaginary part adds to a frame: the transform is linear.
        eye = torch.eye(bins, dtype=torch.complex128)
        parts = torch.cat([torch.fft.irfft(eye, n_fft), torch.fft.irfft(1j * eye, n_fft)])
        self.register_buffer("basis", (parts * window).float(), persistent=False)
        self.register_buffer("square", window.square().float(), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Shape: ``[B, n_fft // 2 + 1, T]`` each -> ``[B, hop (T - 1)]``."""
        spectrum = torch.cat([real, imaginary], dim=1)
        frames = self.basis.T @ spectrum
        weight = self.square[None, :, None].expand(1, -1, frames.shape[2])
        return self._overlapped(frames) / self._overlapped(weight)

    def _overlapped(self, frames: Tensor) -> Tensor:
        """Add frames where they overlap, without the half frame beyond both ends."""
        count = self.n_fft // self.hop
        rows = frames.reshape(frames.shape[0], count, self.hop, frames.shape[2])
        shifted = [F.pad(rows[:, k], (k, count - 1 - k)) for k in range(count)]
        whole = torch.stack(shifted).sum(0).transpose(1, 2).flatten(1)
        half = self.n_fft // 2
        return whole[:, half:-half]
