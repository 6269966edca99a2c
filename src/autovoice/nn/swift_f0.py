"""SwiftF0's network: a small convolutional pitch detector on a three-window log spectrogram.

Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", 2025 (arXiv 2508.18440).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from autovoice.kernels import LogScale, band_spans, log_mel, takes_log_mel
from autovoice.nn.precision import float32_convolutions

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 256
# Half the longest window (four hops) and seven convolutions of three frames.
CONTEXT_FRAMES = 11
BINS = 95
SPECTRUM_BINS = 128
WINDOWS_SAMPLES = (1024, 2048, 512)
# Kernel (log frequency, time) and dilation over log frequency: 17, 27, 40, 48 bins of 70 cents
# put the octave, the twelfth and their like under one kernel.
BLOCKS = (((7, 3), 1), ((7, 1), 17), ((5, 1), 27), ((3, 1), 40), ((3, 1), 48), ((7, 3), 2))

_PARTS = ("window", "rows", "spans")
_SCALE = LogScale(power=False, added=1e-8)


class LogSpectrogram(nn.Module):
    """Take log-magnitude spectra with three window lengths on one log-frequency axis.

    Shape: audio ``[B, T]`` at 16 kHz -> ``[B, 3, 128, T // 256]``, frame ``k`` centred on sample
    ``256 k``.
    """

    def __init__(self) -> None:
        super().__init__()
        for size in WINDOWS_SAMPLES:
            self.register_buffer(f"window_{size}", torch.zeros(size))
            bank = torch.zeros(size // 2 + 1, SPECTRUM_BINS)
            self.register_buffer(f"bank_{size}", bank)
            self.register_buffer(f"rows_{size}", bank.T.contiguous(), persistent=False)
            self.register_buffer(f"spans_{size}", band_spans(bank.T), persistent=False)
        self.register_load_state_dict_post_hook(_turn_banks)  # type: ignore[no-untyped-call]

    def forward(self, audio: Tensor) -> Tensor:
        return self.fused(audio) if takes_log_mel(audio) else self.plain(audio)

    def plain(self, audio: Tensor) -> Tensor:
        """Compute it by PyTorch's layers."""
        frames = audio.shape[-1] // HOP_SAMPLES
        half = max(WINDOWS_SAMPLES) // 2
        padded = functional.pad(audio, (half, half))
        planes = []
        for size in WINDOWS_SAMPLES:
            start = half - size // 2
            cut = padded[:, start:].unfold(-1, size, HOP_SAMPLES)[:, :frames]
            magnitude = torch.fft.rfft(cut * self.get_buffer(f"window_{size}")).abs()
            planes.append(torch.log(magnitude @ self.get_buffer(f"bank_{size}") + 1e-8))
        return torch.stack(planes, dim=1).transpose(-1, -2)

    def fused(self, audio: Tensor) -> Tensor:
        """Compute the same by one op, without gradients."""
        lists = ([self.get_buffer(f"{name}_{size}") for size in WINDOWS_SAMPLES] for name in _PARTS)
        return log_mel(
            audio, *lists, hop_samples=HOP_SAMPLES, frames=audio.shape[-1] // HOP_SAMPLES,
            mirror=0, scale=_SCALE,
        )  # fmt: skip


def _turn_banks(layer: nn.Module, _: object) -> None:
    """Keep what the op reads of banks that were loaded: bands as rows, and where they begin."""
    for size in WINDOWS_SAMPLES:
        rows = layer.get_buffer(f"bank_{size}").T
        layer.get_buffer(f"rows_{size}").copy_(rows)
        layer.get_buffer(f"spans_{size}").copy_(band_spans(rows))


class Residual(nn.Module):
    """Add two convolutions to their input, each followed by a rectifier."""

    def __init__(self, kernel: tuple[int, int], dilation: int) -> None:
        super().__init__()
        pad = ((kernel[0] - 1) // 2 * dilation, (kernel[1] - 1) // 2)
        self.first = nn.Conv2d(12, 12, kernel, padding=pad, dilation=(dilation, 1))
        self.second = nn.Conv2d(12, 12, kernel, padding=pad, dilation=(dilation, 1))

    def forward(self, features: Tensor) -> Tensor:
        inner = torch.relu(self.first(features))
        return torch.relu(features + self.second(inner))


class SwiftF0Network(nn.Module):
    """Read pitch and confidence off 16 kHz audio.

    Shape: audio ``[B, T]`` -> f0 in Hz ``[B, T // 256]`` and confidence in [0, 1], same shape.

    On a GPU its convolutions stay in float32. Rounding to TF32 moves the pitch by 5e-6 only, but
    phases add it up, and what is sung from it gets another excitation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spectrum = LogSpectrogram()
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(kernel, dilation) for kernel, dilation in BLOCKS))
        self.narrow = nn.Conv2d(12, 4, 3, padding=(0, 1))
        self.peak = nn.Conv2d(4, 4, (5, 1), padding=(2, 0))
        self.score = nn.Conv2d(4, 1, 1)
        self.voicing_in = nn.Conv1d(5, 16, 3, padding=1)
        self.voicing_out = nn.Conv1d(16, 1, 1)
        self.register_buffer("log_bin_hz", torch.zeros(BINS, dtype=torch.float64))

    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(audio.device.type, enabled=False):
            spectrum = self.spectrum(audio.float())
        with float32_convolutions():
            scores, voicing = self._scored(spectrum)
        return self._decode(scores), torch.sigmoid(voicing.float()).squeeze(1)

    def _scored(self, spectrum: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score of every bin, ``[B, 95, F]``, and of voicing, ``[B, 1, F]``."""
        features = self.blocks(torch.relu(self.stem(spectrum)))
        # One row of padding below the lowest bin, none above the highest.
        low = functional.pad(features[:, :, : BINS + 1], (0, 0, 1, 0))
        features = torch.relu(self.narrow(low))
        level = spectrum.mean(dim=(1, 2)).unsqueeze(1)
        evidence = torch.cat([self.peak(features).amax(dim=2), level], dim=1)
        voicing = self.voicing_out(torch.relu(self.voicing_in(evidence)))
        return self.score(features).squeeze(1), voicing

    def _decode(self, scores: Tensor) -> Tensor:
        """Average log frequency over the best bin and its neighbours, ``[B, 95, F] -> [B, F]``."""
        best = scores.argmax(dim=1, keepdim=True)
        around = best + torch.arange(-1, 2, device=scores.device).view(1, 3, 1)
        inside = around.clamp(0, BINS - 1)
        near = scores.gather(1, inside).double()
        near = near.masked_fill(around != inside, -torch.inf)
        weights = near.softmax(dim=1)
        log_hz = self.get_buffer("log_bin_hz")[inside]
        return (weights * log_hz).sum(dim=1).exp().float()
