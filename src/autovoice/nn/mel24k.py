"""The log-mel spectrum that the voice model's family (StyleTTS 2, Kokoro) was trained on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from autovoice.kernels import LogScale, band_spans, log_mel, takes_log_mel

SAMPLE_RATE_HZ = 24_000
N_FFT = 2048
WINDOW_SAMPLES = 1200
HOP_SAMPLES = 300
MELS = 80
# The family's normalisation of the log-mel: (log(1e-5 + mel) - MEAN) / SCALE.
MEAN = -4.0
SCALE = 4.0
FLOOR = 1e-5
_MEL = LogScale(added=FLOOR, scale=1 / SCALE, shift=-MEAN / SCALE)
_NORM = LogScale(added=FLOOR, norm=True)


def htk_filters(mels: int, bins: int, top_hz: float) -> Tensor:
    """Build triangular filters with peak 1 on the HTK mel scale, from 0 to ``top_hz``.

    Shape: ``[bins, mels]``, the bins evenly spaced from 0 to ``top_hz``.
    """
    top_mel = 2595.0 * math.log10(1.0 + top_hz / 700.0)
    edges_mel = torch.linspace(0.0, top_mel, mels + 2, dtype=torch.float64)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    bins_hz = torch.linspace(0.0, top_hz, bins, dtype=torch.float64)[:, None]
    left, middle, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz - left) / (middle - left)
    falling = (right - bins_hz) / (right - middle)
    return torch.minimum(rising, falling).clamp_min(0.0).float()


class Mel24k(nn.Module):
    """Compute the normalised log-mel spectrum, with gradients.

    80 HTK mels from 0 to 12 kHz of the power spectrum, Hann window of 1,200 in an FFT of 2,048,
    hop 300; then ``(log(1e-5 + mel) + 4) / 4``. Frame ``k`` is centred at ``k / 80`` s; beyond
    the ends the signal is mirrored (zeros where it is too short for that).

    Shape: ``[B, T]`` at 24 kHz -> ``[B, 80, T // 300]``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        filters = htk_filters(MELS, N_FFT // 2 + 1, SAMPLE_RATE_HZ / 2)
        self.register_buffer("filters", filters, persistent=False)
        # What the op reads: bands as rows, the window as long as the transform.
        beside = (N_FFT - WINDOW_SAMPLES) // 2
        long = functional.pad(torch.hann_window(WINDOW_SAMPLES), (beside, beside))
        self.register_buffer("long_window", long, persistent=False)
        self.register_buffer("rows", filters.T.contiguous(), persistent=False)
        self.register_buffer("spans", band_spans(filters.T), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        return self.fused(samples) if takes_log_mel(samples) else self.plain(samples)

    def plain(self, samples: Tensor) -> Tensor:
        """Compute it by PyTorch's layers, with gradients."""
        return self.of_padded(pad_ends(samples))[..., : samples.shape[-1] // HOP_SAMPLES]

    def fused(self, samples: Tensor) -> Tensor:
        """Compute the same by one op, without gradients."""
        return self._by_op(samples, _MEL)

    def log_norm(self, samples: Tensor) -> Tensor:
        """Return ``log_norm`` of the spectrum by one op that keeps no spectrum.

        Shape: ``[B, T]`` at 24 kHz -> ``[B, T // 300]``.
        """
        return self._by_op(samples, _NORM)

    def _by_op(self, samples: Tensor, scale: LogScale) -> Tensor:
        length = samples.shape[-1]
        names = ("long_window", "rows", "spans")
        window, rows, spans = (self.get_buffer(name) for name in names)
        return log_mel(
            samples.float(), [window], [rows], [spans], hop_samples=HOP_SAMPLES,
            frames=length // HOP_SAMPLES, mirror=length if length > N_FFT // 2 else 0, scale=scale,
        )[:, 0]  # fmt: skip

    def of_padded(self, padded: Tensor) -> Tensor:
        """Compute frames of a signal that already has half an FFT more at each end."""
        with torch.autocast(padded.device.type, enabled=False):
            spectrum = torch.stft(
                padded.float(),
                N_FFT,
                hop_length=HOP_SAMPLES,
                win_length=WINDOW_SAMPLES,
                window=self.get_buffer("window"),
                center=False,
                return_complex=True,
            )
            power = spectrum.real.square() + spectrum.imag.square()
            mel = power.transpose(-1, -2) @ self.get_buffer("filters")
            log_mel: Tensor = torch.log(FLOOR + mel.transpose(-1, -2))
            return (log_mel - MEAN) / SCALE


def pad_ends(samples: Tensor) -> Tensor:
    """Add half an FFT at each end, mirrored where there is enough signal, ``[B, T]``."""
    half = N_FFT // 2
    mode = "reflect" if samples.shape[-1] > half else "constant"
    return functional.pad(samples, (half, half), mode=mode)


def mel24k(samples: Tensor) -> Tensor:
    """Compute the normalised log-mel spectrum once (keep a ``Mel24k`` for many calls).

    Shape: ``[B, T]`` at 24 kHz -> ``[B, 80, T // 300]``.
    """
    mel: Tensor = Mel24k().to(samples.device)(samples)
    return mel


def log_norm(mel: Tensor) -> Tensor:
    """Take the logarithm of the length of each frame's mel vector, from the normalised log-mel.

    This is StyleTTS 2's energy: ``log |exp(4 mel - 4)|`` over the mel bins, written so that it
    neither overflows nor loses gradient in silence.

    Shape: ``[B, 80, F]`` -> ``[B, F]``.
    """
    return 0.5 * torch.logsumexp(2.0 * (mel * SCALE + MEAN), dim=-2)
