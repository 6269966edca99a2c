"""Logarithmic spectra over bands, such as log-mel: several resolutions of a sound in one pass.

Sources: mel filters after Slaney (1998) or HTK, as whoever calls has them; the transform is
Stockham's (van Loan, "Computational frameworks for the fast Fourier transform", 1992).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels import library

NAME = "log_mel"


@dataclass(frozen=True)
class LogScale:
    """What becomes of a band's sum: ``scale * ln(max(sum + added, least)) + shift``.

    Args:
        power: sum up squared magnitudes, else magnitudes.
        added, least: as above; one of them above 0.
        scale, shift: as above.
        norm: instead, half the logarithm of the sum of all bands' squares: one value a frame.
    """

    power: bool = True
    added: float = 0.0
    least: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    norm: bool = False


def log_mel(
    sound: Tensor,
    windows: Sequence[Tensor],
    banks: Sequence[Tensor],
    spans: Sequence[Tensor],
    *,
    hop_samples: int,
    frames: int,
    mirror: int,
    scale: LogScale,
) -> Tensor:
    """Take logarithmic band spectra; inference only.

    Args:
        sound: ``[B, T]`` float32.
        windows: up to four of ``[N]``, N even, up to 4,096, without factors but 2 and 5.
        banks: ``[bands, N // 2 + 1]`` for each window, as many bands in each.
        spans: ``band_spans`` of each bank.
        hop_samples: between frames; frame ``k`` is centred on sample ``k hop``.
        frames: how many.
        mirror: length at whose ends the sound, silent beyond its own end, is mirrored; above half
            of each window. 0: silence before and after it.
        scale: the logarithm.

    Shape: ``[B, windows, bands, frames]``, with ``scale.norm`` ``[B, windows, frames]``, float32.

    Raises:
        RuntimeError: shapes or types that do not fit.
    """
    numbers = (
        hop_samples, frames, mirror, scale.power, scale.norm,
        scale.added, scale.least, scale.scale, scale.shift,
    )  # fmt: skip
    lists = ([part.contiguous() for part in parts] for parts in (windows, banks, spans))
    made: Tensor = torch.ops.autovoice.log_mel(sound.contiguous(), *lists, *numbers)
    return made


def takes_log_mel(sound: Tensor) -> bool:
    """Tell whether a layer should leave its spectrum to the op: on CUDA, without gradients."""
    learns = torch.is_grad_enabled() and sound.requires_grad
    return sound.is_cuda and sound.dim() == 2 and not learns and library.enabled(NAME)


def band_spans(bank: Tensor) -> Tensor:
    """Return the first bin of each band and the end of its last one.

    Shape: ``[bands, bins]`` -> ``[bands, 2]`` int32, 0 and 0 where a band is empty.
    """
    heard = bank != 0
    bins = torch.arange(bank.shape[1], device=bank.device)
    first = torch.where(heard, bins, bank.shape[1]).amin(1)
    end = torch.where(heard, bins + 1, 0).amax(1)
    return torch.stack([first.minimum(end), end], 1).int()


def _reference(
    sound: Tensor, windows: list[Tensor], banks: list[Tensor], spans: list[Tensor], hop: int,
    frames: int, mirror: int, power: bool, norm: bool, added: float, least: float, scale: float,
    shift: float,
) -> Tensor:  # fmt: skip
    if not frames:
        return sound.new_empty(_shape(sound, windows, banks, frames, norm))
    planes = []
    for window, bank in zip(windows, banks, strict=True):
        cuts = _cut(sound, len(window), hop, frames, mirror)
        spectrum = torch.fft.rfft(cuts * window)
        level = spectrum.real.square() + spectrum.imag.square() if power else spectrum.abs()
        # Products in half precision would lose what is quiet.
        with torch.autocast(sound.device.type, enabled=False):
            bands = (level @ bank.T + added).clamp_min(least)
        if norm:
            planes.append(0.5 * scale * bands.square().sum(2).log() + shift)
        else:
            planes.append((scale * bands.log() + shift).mT)
    return torch.stack(planes, 1)


def _cut(sound: Tensor, size: int, hop: int, frames: int, mirror: int) -> Tensor:
    """Cut frames around multiples of a hop, ``[B, T] -> [B, frames, size]``."""
    half = size // 2
    if mirror:
        filled = F.pad(sound, (0, mirror - sound.shape[1]))
        padded = F.pad(filled, (half, half), mode="reflect")
    else:
        padded = F.pad(sound, (half, half))
    missing = max(0, (frames - 1) * hop + size - padded.shape[1])
    return F.pad(padded, (0, missing)).unfold(1, size, hop)[:, :frames]


def _fake(
    sound: Tensor, windows: list[Tensor], banks: list[Tensor], spans: list[Tensor], hop: int,
    frames: int, mirror: int, power: bool, norm: bool, added: float, least: float, scale: float,
    shift: float,
) -> Tensor:  # fmt: skip
    return sound.new_empty(_shape(sound, windows, banks, frames, norm))


def _shape(
    sound: Tensor, windows: list[Tensor], banks: list[Tensor], frames: int, norm: bool
) -> tuple[int, ...]:
    each = (sound.shape[0], len(windows))
    return (*each, frames) if norm else (*each, banks[0].shape[0], frames)


library.declare(
    "log_mel(Tensor sound, Tensor[] windows, Tensor[] banks, Tensor[] spans, int hop_samples, "
    "int frames, int mirror, bool power, bool norm, float added, float least, float scale, "
    "float shift) -> Tensor",
    _reference,
    _fake,
)
