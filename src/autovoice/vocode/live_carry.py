"""The source's own excitation in another colour, window by window.

What ``differential`` knows of a whole song, its mean filter and level, is here what was heard so
far. Two windows filter the same recording by nearly the same gains and leave its phases alone, so
a cross-fade between them neither clicks nor combs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.types import FloatArray, Pitch
from autovoice.vocode.differential import (
    HOP_SAMPLES,
    N_FFT,
    DifferentialOptions,
    at_hops,
    changes,
    factors,
    for_unvoiced,
    hann,
    level_of,
    strength_for,
)

# Hops of singing that the mean remembers: what was sung longer ago than 10 s weighs a third.
MEMORY_HOPS = 2_000
# The mean of fewer hops than these is not yet to be relied on.
_FEW_HOPS = 60
# Bins under about 100 Hz do not count as loudness.
_DEAF_BINS = 4
# Loudness is the source's over 0.4 s; within that, the voice's own.
_SLOW_HOPS = 40


class LiveCarry:
    """Filter windows of one stream.

    Args:
        device: where to filter.
        options: how; ``strength`` is set by ``nearness``.
    """

    def __init__(
        self, device: str | torch.device = "cpu", options: DifferentialOptions | None = None
    ) -> None:
        self._device = device
        self._options = options or DifferentialOptions(strength=strength_for(0.0))
        self._sum: Tensor | None = None
        self._count = 0.0

    def forget(self) -> None:
        """Begin anew: another voice sings."""
        self._sum, self._count = None, 0.0

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        *,
        gain: float,
        settled: slice,
    ) -> FloatArray:
        """Return the source of a window with the converted sound's colour, at its own level.

        Args:
            source, converted: ``[T]`` at 24 kHz; both may begin with silence.
            pitch: of both.
            gain: that brings the source to the level of the converted sound.
            settled: the samples that this window is asked for; each is counted once.

        Shape: ``[T]``.
        """
        f0_hz = at_hops(pitch, len(source) // HOP_SAMPLES + 1)
        if not (f0_hz > 0).any() and self._sum is None:
            return source
        with torch.inference_mode():
            pair = np.stack([source * np.float32(gain), converted]).astype(np.float32)
            sound = torch.from_numpy(pair).to(self._device)
            spectrum = torch.stft(
                sound, N_FFT, HOP_SAMPLES, window=hann(sound.device), pad_mode="constant",
                return_complex=True,
            )  # fmt: skip
            pitch_hz = torch.from_numpy(f0_hz).to(sound.device)
            change = changes(spectrum, pitch_hz)[0]
            mean = self._mean(change, pitch_hz > 0, settled)
            rest = for_unvoiced(mean - level_of(mean), self._options)
            # What is loud and what is soft is the source's: a decoder that hears windows is up to
            # 5 dB off, now here, now there.
            rise = _rise(spectrum[0], self._options.strength * change) / self._options.strength
            gains = factors(change - _slow(rise, pitch_hz > 0), pitch_hz, rest, self._options)
            made = torch.istft(
                spectrum[0] * gains, N_FFT, HOP_SAMPLES, window=hann(sound.device),
                length=len(source),
            )  # fmt: skip
            samples: FloatArray = (made / gain).cpu().numpy()
        return samples

    def _mean(self, change: Tensor, voiced: Tensor, settled: slice) -> Tensor:
        """Return the mean log gain of what has a pitch, ``[bins, 1]``, with this window's."""
        fresh = torch.zeros_like(voiced)
        hops = slice(max(settled.start, 0) // HOP_SAMPLES, max(settled.stop, 0) // HOP_SAMPLES)
        fresh[hops] = voiced[hops]
        number = float(fresh.sum())
        if self._sum is None:
            self._sum = torch.zeros_like(change[:, :1])
        keep = max(0.0, 1.0 - number / MEMORY_HOPS)
        self._sum = self._sum * keep + change[:, fresh].sum(1, keepdim=True)
        self._count = self._count * keep + number
        if self._count >= _FEW_HOPS or not bool(voiced.any()):
            return self._sum / max(self._count, _FEW_HOPS)
        return change[:, voiced].mean(1, keepdim=True)


def _rise(spectrum: Tensor, change: Tensor) -> Tensor:
    """Return by how much each hop would be louder, nepers: ``[bins, hops]`` -> ``[hops]``."""
    power = spectrum.real.square() + spectrum.imag.square() + 1e-9
    power[:_DEAF_BINS] = 0
    # The largest is taken out, so that nothing overflows.
    most = change.amax(0)
    louder = (power * torch.exp(2 * (change - most))).sum(0) / power.sum(0)
    return most + 0.5 * torch.log(louder.clamp_min(1e-12))


def _slow(rise: Tensor, voiced: Tensor) -> Tensor:
    """Return the mean of what has a pitch around each hop, ``[hops]`` -> ``[hops]``."""
    weight = voiced.float() + 1e-6
    both = torch.stack([rise * weight, weight])[:, None]
    total = F.avg_pool1d(F.pad(both, (_SLOW_HOPS, _SLOW_HOPS)), 2 * _SLOW_HOPS + 1, stride=1)
    return total[0, 0] / total[1, 0]
