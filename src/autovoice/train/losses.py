"""The losses of the voice model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autovoice.nn.mel24k import htk_filters
from autovoice.train.discriminators import Features

SAMPLE_RATE_HZ = 24_000
_RESOLUTIONS = ((512, 40), (1024, 80), (2048, 120))
Judgement = list[tuple[Tensor, Features]]


class MelDistance(nn.Module):
    """Mean absolute difference of log-mel spectra at three resolutions, within each file's band.

    Shape: ``made, real: [B, T]``, ``band_hz: [B]`` -> scalar.
    """

    def __init__(self) -> None:
        super().__init__()
        for n_fft, bands in _RESOLUTIONS:
            filters = htk_filters(bands, n_fft // 2 + 1, SAMPLE_RATE_HZ / 2).T.contiguous()
            hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, n_fft // 2 + 1)
            top = torch.stack([hz[row > 0].max() if (row > 0).any() else hz[0] for row in filters])
            self.register_buffer(f"filters_{n_fft}", filters, persistent=False)
            self.register_buffer(f"top_hz_{n_fft}", top, persistent=False)
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def forward(self, made: Tensor, real: Tensor, band_hz: Tensor) -> Tensor:
        return self.compare(made, real, band_hz)[0]

    def compare(self, made: Tensor, real: Tensor, band_hz: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance in the logarithm and that of the peaks.

        The logarithm is ruled by valleys and quiet bands. What a voice is known by are its
        strong bands: their distance is that of the amplitudes, as a share of the true ones
        (spectral convergence, Arik et al. 2018), item by item.
        """
        quiet, loud = made.new_zeros(()), made.new_zeros(())
        for n_fft, _ in _RESOLUTIONS:
            inside = (self.get_buffer(f"top_hz_{n_fft}")[None] <= band_hz[:, None]).float()
            ours, true = self._mel(made, n_fft), self._mel(real, n_fft)
            gap = (torch.log(ours + 1e-4) - torch.log(true + 1e-4)).abs().mean(2)
            quiet = quiet + (gap * inside).sum() / inside.sum()
            error = ((ours - true).square().sum(2) * inside).sum(1)
            sound = (true.square().sum(2) * inside).sum(1)
            loud = loud + ((error + 1e-6) / (sound + 1e-4)).sqrt().mean()
        return quiet / len(_RESOLUTIONS), loud / len(_RESOLUTIONS)

    def _mel(self, audio: Tensor, n_fft: int) -> Tensor:
        window = self.get_buffer(f"window_{n_fft}")
        spectrum = torch.stft(audio.float(), n_fft, n_fft // 4, window=window, return_complex=True)
        amplitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        mel: Tensor = self.get_buffer(f"filters_{n_fft}") @ amplitude
        return mel


def limit_band(audio: Tensor, band_hz: Tensor) -> Tensor:
    """Remove what lies above each item's band, so that a judge cannot go by the sample rate."""
    spectrum = torch.fft.rfft(audio.float(), dim=1)
    hz = torch.linspace(0, SAMPLE_RATE_HZ / 2, spectrum.shape[1], device=audio.device)
    keep = torch.sigmoid((band_hz[:, None] - 150 - hz[None]) / 40)
    limited: Tensor = torch.fft.irfft(spectrum * keep, n=audio.shape[1], dim=1)
    return limited


def discriminator_loss(real: Judgement, made: Judgement) -> Tensor:
    """Least-squares loss of the discriminators (Mao et al. 2017)."""
    terms = [
        (1 - score_real).float().square().mean() + score_made.float().square().mean()
        for (score_real, _), (score_made, _) in zip(real, made, strict=True)
    ]
    return torch.stack(terms).mean()


def adversarial_loss(made: Judgement) -> Tensor:
    """Least-squares loss of what is judged."""
    return torch.stack([(1 - score).float().square().mean() for score, _ in made]).mean()


def match_loss(score: Tensor, wanted: float) -> Tensor:
    """Least-squares loss of a critic's scores against one verdict."""
    return (score.float() - wanted).square().mean()


def feature_loss(real: Judgement, made: Judgement) -> Tensor:
    """Distance of the discriminators' inner features (Larsen et al. 2016)."""
    terms = [
        F.l1_loss(b.float(), a.detach().float())
        for (_, first), (_, second) in zip(real, made, strict=True)
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(terms).mean()


def cosine_gap(made: Tensor, target: Tensor, dim: int = 1) -> Tensor:
    """Mean of one minus the cosine along ``dim``."""
    return (1 - F.cosine_similarity(made.float(), target.float(), dim=dim)).mean()
