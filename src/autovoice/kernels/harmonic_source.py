"""The vocoder's excitation with its phase and its noise in closed form.

Source: neural source-filter models (Wang, Takaki and Yamagishi 2019) with the constants of
Kokoro-82M; Philox (Salmon et al. 2011) and Box and Muller (1958) for the noise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.library import declare
from autovoice.kernels.philox import normal

SINE_AMPLITUDE = 0.1
VOICED_NOISE = 0.003
UNVOICED_BELOW_HZ = 10.0


def harmonic_source(
    f0_hz: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    start_phase: Tensor | None = None,
    noise: Tensor | None = None,
    seed: Tensor | None = None,
    hop_samples: int = 300,
    sample_rate_hz: int = 24_000,
) -> tuple[Tensor, Tensor]:
    """Make the excitation; inference only.

    Args:
        f0_hz: ``[B, F]`` float32, frame ``k`` centred at ``(k + 0.5) * hop``; up to 10 Hz is
            unvoiced.
        weight, bias: ``[H]`` and ``[1]`` float32: how the harmonics 1 to H are mixed.
        start_phase: ``[B]`` float64, cycles before the first sample. Default 0.
        noise: ``[B, F * hop]`` float32, standard normal. Default none.
        seed: ``[B, 2]`` int64, instead of ``noise``: a seed and the number of the first sample.
            The same number gives the same noise on every device and in every cut.
        hop_samples: samples per frame, even.
        sample_rate_hz: of the result.

    Returns:
        ``[B, F * hop]`` float32 in (-1, 1), and ``[B]`` float64: the phase to go on from.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    made: tuple[Tensor, Tensor] = torch.ops.autovoice.harmonic_source(
        f0_hz, weight, bias, start_phase, noise, seed, hop_samples, sample_rate_hz
    )
    return made


def _reference(
    f0_hz: Tensor, weight: Tensor, bias: Tensor, start_phase: Tensor | None, noise: Tensor | None,
    seed: Tensor | None, hop: int, rate: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    voiced = (f0_hz > UNVOICED_BELOW_HZ).float()
    gate = voiced.repeat_interleave(hop, dim=1)
    filled = fill_gaps(f0_hz)
    f0_samples = F.interpolate(
        filled.double()[:, None], scale_factor=hop, mode="linear", align_corners=False
    )[:, 0]
    start = f0_samples.new_zeros(len(f0_hz)) if start_phase is None else start_phase
    cycles = _cycles(f0_samples / rate, start, hop)
    end = torch.remainder(cycles[:, -1] if cycles.shape[1] else start, 1.0)
    phase = torch.remainder(cycles, 1.0)
    order = torch.arange(1, len(weight) + 1, device=f0_hz.device, dtype=torch.float64)
    waves = torch.sin(phase[:, :, None] * order * (2 * math.pi)).float()
    below = f0_samples[:, :, None] * order < rate / 2
    mixed = (SINE_AMPLITUDE * waves * below * gate[:, :, None]) @ weight + bias
    if seed is not None:
        noise = torch.stack([normal(int(s), int(n), mixed.shape[1]) for s, n in seed.tolist()])
        noise = noise.to(f0_hz.device)
    if noise is not None:
        level = gate * VOICED_NOISE + (1 - gate) * (SINE_AMPLITUDE / 3)
        mixed = mixed + level * noise * weight.sum()
    return torch.tanh(mixed), end


def _cycles(steps: Tensor, start: Tensor, hop: int) -> Tensor:
    """Add up steps ``[B, F * hop]``, whole cycles dropped after each frame: sums stay exact."""
    inside = steps.view(len(steps), -1, hop).cumsum(2)
    ends = torch.remainder(inside[:, :, -1], 1.0).cumsum(1)
    before = F.pad(ends, (1, 0))[:, :-1] + start[:, None]
    return (inside + torch.remainder(before, 1.0)[:, :, None]).flatten(1)


def fill_gaps(f0_hz: Tensor) -> Tensor:
    """Hold the last voiced value through unvoiced frames, so that edges do not glide to zero."""
    voiced = f0_hz > UNVOICED_BELOW_HZ
    index = torch.arange(f0_hz.shape[1], device=f0_hz.device).expand_as(f0_hz)
    last = torch.where(voiced, index, torch.zeros_like(index)).cummax(dim=1).values
    held = f0_hz.gather(1, last)
    following = torch.where(voiced, index, torch.full_like(index, f0_hz.shape[1] - 1))
    following = following.flip(1).cummin(dim=1).values.flip(1)
    filled = torch.where(held > UNVOICED_BELOW_HZ, held, f0_hz.gather(1, following))
    return torch.where(filled > UNVOICED_BELOW_HZ, filled, torch.zeros_like(filled))


def _fake(
    f0_hz: Tensor, weight: Tensor, bias: Tensor, start_phase: Tensor | None, noise: Tensor | None,
    seed: Tensor | None, hop: int, rate: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    batch, frames = f0_hz.shape
    return f0_hz.new_empty(batch, frames * hop), f0_hz.new_empty(batch, dtype=torch.float64)


declare(
    "harmonic_source(Tensor f0_hz, Tensor weight, Tensor bias, Tensor? start_phase, Tensor? noise, "
    "Tensor? seed, int hop_samples, int sample_rate_hz) -> (Tensor, Tensor)",
    _reference,
    _fake,
)
