"""The generator's short transforms: sound to magnitude and angle, log magnitude and phase to sound.

Source: iSTFTNet (Kaneko et al. 2022), at the sizes of Kokoro-82M: frames of 20 samples under a Hann
window, 5 apart, 11 bins.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.library import declare

N_FFT = 20
HOP_SAMPLES = 5
BINS = N_FFT // 2 + 1
# Rows are this wide, so that tensor cores can read them; what lies beyond both parts is zero.
WIDE = 32
_LOUDEST = 10.0


def polar_stft(sound: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return magnitude and angle of centred frames; inference only.

    Args:
        sound: ``[B, T]`` float32, T over 10; mirrored at both ends.
        lengths: ``[B]`` int32, samples of each item that count. Default all.

    Shape: ``[B, T // 5 + 1, 32]``: 11 magnitudes, 11 angles, zeros; float16 on CUDA, float32 on the
    CPU; frames beyond an item's end are zero.
    """
    made: Tensor = torch.ops.autovoice.polar_stft(sound, lengths)
    return made


def polar_istft(x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the sound of log magnitudes and phases, by weighted overlap-add; inference only.

    The magnitude is ``exp(min(x, 10))``, the phase the sine of what is given.

    Args:
        x: ``[B, F, 32]`` float32: 11 log magnitudes, 11 phases; the rest is not read.
        lengths: ``[B]`` int32, frames of each item that count. Default all.

    Shape: ``[B, 5 (F - 1)]`` float32.
    """
    made: Tensor = torch.ops.autovoice.polar_istft(x, lengths)
    return made


def row_type(device: torch.device) -> torch.dtype:
    """Return the type of the generator's rows: half on CUDA, where tensor cores read them."""
    return torch.float16 if device.type == "cuda" else torch.float32


def _forward(sound: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is not None:
        each = zip(sound, lengths.tolist(), strict=True)
        frames = sound.shape[1] // HOP_SAMPLES + 1
        parts = [_forward(one[None, :count], None)[0] for one, count in each]
        return torch.stack([F.pad(part, (0, 0, 0, frames - len(part))) for part in parts])
    window = torch.hann_window(N_FFT, device=sound.device)
    spectrum = torch.stft(sound, N_FFT, HOP_SAMPLES, window=window, return_complex=True)
    rows = torch.cat([spectrum.abs(), spectrum.angle()], dim=1).transpose(1, 2)
    padded = F.pad(rows, (0, WIDE - 2 * BINS))
    return padded.contiguous().to(row_type(sound.device))


def _inverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is not None:
        samples = HOP_SAMPLES * (x.shape[1] - 1)
        each = zip(x, lengths.tolist(), strict=True)
        parts = [_inverse(one[None, :count], None)[0] for one, count in each]
        return torch.stack([F.pad(part, (0, samples - len(part))) for part in parts])
    magnitude = torch.exp(x[:, :, :BINS].clamp(max=_LOUDEST))
    phase = torch.sin(x[:, :, BINS : 2 * BINS])
    spectrum = torch.polar(magnitude, phase).transpose(1, 2)
    window = torch.hann_window(N_FFT, device=x.device)
    # Written out: torch.istft asks the device whether windows overlap, and refuses an end of zeros.
    frames = torch.fft.irfft(spectrum, N_FFT, dim=1) * window[:, None]
    length = N_FFT + HOP_SAMPLES * (x.shape[1] - 1)
    weight = window.square()[None, :, None].expand(1, -1, x.shape[1])
    sound, total = _overlapped(frames, length), _overlapped(weight, length)
    return sound / torch.where(total > 0, total, torch.ones_like(total))


def _overlapped(frames: Tensor, length: int) -> Tensor:
    whole = F.fold(frames, (1, length), (1, N_FFT), stride=(1, HOP_SAMPLES))[:, 0, 0]
    return whole[:, N_FFT // 2 : length - N_FFT // 2]


def _fake_forward(sound: Tensor, lengths: Tensor | None) -> Tensor:
    shape = (sound.shape[0], sound.shape[1] // HOP_SAMPLES + 1, WIDE)
    return sound.new_empty(shape, dtype=row_type(sound.device))


def _fake_inverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    return x.new_empty(x.shape[0], HOP_SAMPLES * (x.shape[1] - 1))


declare("polar_stft(Tensor sound, Tensor? lengths) -> Tensor", _forward, _fake_forward)
declare("polar_istft(Tensor x, Tensor? lengths) -> Tensor", _inverse, _fake_inverse)
