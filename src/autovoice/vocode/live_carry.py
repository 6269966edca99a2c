"""The source's own excitation in another colour, window by window.

What ``differential`` knows of a whole song, its mean filter and level, is here what was heard so
far. Two windows filter the same recording by nearly the same gains and leave its phases alone, so
a cross-fade between them neither clicks nor combs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.overlap_add import overlap_add
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
# Numbers that are kept of a stream.
COLOUR_WIDTH = N_FFT // 2 + 3


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
        self._kept: Colour | None = None

    def forget(self) -> None:
        """Begin anew: another voice sings."""
        self._kept = None

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
        if not (f0_hz > 0).any() and self._kept is None:
            return source
        with torch.inference_mode():
            sounds = np.stack([source, converted]).astype(np.float32)
            pair = torch.from_numpy(sounds).to(self._device)
            kept = Colour.blank(1, pair.device) if self._kept is None else self._kept
            made, self._kept = coloured(
                pair[:, None], torch.from_numpy(f0_hz).to(pair.device)[None],
                torch.full((1, 1), gain, device=pair.device), kept,
                settled=settled, options=self._options,
            )  # fmt: skip
            samples: FloatArray = made[0].cpu().numpy()
        return samples


@dataclass(frozen=True)
class Colour:
    """What is known of the mean filter of each of ``B`` streams.

    Args:
        total: ``[B, bins]``, log gains of what has a pitch, added up.
        count: ``[B, 1]``, hops in it.
        begun: ``[B, 1]``, 1 where something with a pitch was heard.
    """

    total: Tensor
    count: Tensor
    begun: Tensor

    @classmethod
    def blank(cls, streams: int, device: torch.device) -> Colour:
        """Return what is known of streams that begin."""
        return cls.read(torch.zeros(streams, COLOUR_WIDTH, device=device))

    @classmethod
    def read(cls, rows: Tensor) -> Colour:
        """Return what ``written`` wrote, ``[B, COLOUR_WIDTH]``."""
        return cls(rows[:, 2:], rows[:, :1], rows[:, 1:2])

    def written(self) -> Tensor:
        """Return all of it as one tensor, ``[B, COLOUR_WIDTH]``."""
        return torch.cat([self.count, self.begun, self.total], 1)


def coloured(
    sounds: Tensor,
    f0_hz: Tensor,
    gain: Tensor,
    kept: Colour,
    *,
    settled: slice,
    options: DifferentialOptions,
) -> tuple[Tensor, Colour]:
    """Filter a window of each of ``B`` streams.

    Args:
        sounds: ``[2, B, T]`` at 24 kHz, the sources and what was made of them.
        f0_hz: ``[B, T // 120 + 1]``, 0 where unvoiced.
        gain: ``[B, 1]``, that brings each source to the level of what was made of it.
        kept: what is known of the streams.
        settled: the samples that these windows are asked for.
        options: of the filter.

    Returns:
        ``[B, T]`` at the sources' own level, and what is known now.
    """
    length, window = sounds.shape[2], hann(sounds.device)
    loud = torch.cat([sounds[0] * gain, sounds[1]])
    flat = torch.stft(
        loud, N_FFT, HOP_SAMPLES, window=window, pad_mode="constant", return_complex=True
    )
    spectrum = flat.view(2, -1, *flat.shape[1:])
    voiced = f0_hz > 0
    change = changes(spectrum, f0_hz)[0]
    mean, known = _mean(change, voiced, kept, settled)
    rest = for_unvoiced(mean - level_of(mean)[..., None], options)
    # What is loud and what is soft is the source's: a decoder that hears windows is up to
    # 5 dB off, now here, now there.
    rise = _rise(spectrum[0], options.strength * change) / options.strength
    gains = factors(change - _slow(rise, voiced)[:, None], f0_hz, rest, options)
    made = overlap_add(spectrum[0] * gains, window, HOP_SAMPLES, length) / gain
    return torch.where(known.begun > 0, made, sounds[0]), known


def _mean(change: Tensor, voiced: Tensor, kept: Colour, settled: slice) -> tuple[Tensor, Colour]:
    """Return the mean log gain of what has a pitch, ``[B, bins, 1]``, with these windows'."""
    hops = slice(max(settled.start, 0) // HOP_SAMPLES, max(settled.stop, 0) // HOP_SAMPLES)
    fresh = voiced[:, hops].float()
    number = fresh.sum(1, keepdim=True)
    keep = (1.0 - number / MEMORY_HOPS).clamp_min(0)
    total = kept.total * keep + (change[..., hops] * fresh[:, None]).sum(2)
    count = kept.count * keep + number
    sung = voiced.float()
    any_sung = sung.amax(1, keepdim=True)
    here = (change * sung[:, None]).sum(2) / sung.sum(1, keepdim=True).clamp_min(1)
    relied_on = (count >= _FEW_HOPS) | (any_sung == 0)
    mean = torch.where(relied_on, total / count.clamp_min(_FEW_HOPS), here)
    return mean[..., None], Colour(total, count, torch.maximum(kept.begun, any_sung))


def _rise(spectrum: Tensor, change: Tensor) -> Tensor:
    """Return by how much each hop would be louder, nepers: ``[B, bins, hops]`` -> ``[B, hops]``."""
    power = spectrum.real.square() + spectrum.imag.square() + 1e-9
    power[:, :_DEAF_BINS] = 0
    # The largest is taken out, so that nothing overflows.
    most = change.amax(1)
    louder = (power * torch.exp(2 * (change - most[:, None]))).sum(1) / power.sum(1)
    return most + 0.5 * torch.log(louder.clamp_min(1e-12))


def _slow(rise: Tensor, voiced: Tensor) -> Tensor:
    """Return the mean of what has a pitch around each hop, ``[B, hops]`` -> ``[B, hops]``."""
    weight = voiced.float() + 1e-6
    both = torch.cat([rise * weight, weight])[:, None]
    total = F.avg_pool1d(F.pad(both, (_SLOW_HOPS, _SLOW_HOPS)), 2 * _SLOW_HOPS + 1, stride=1)
    above, below = total[:, 0].chunk(2)
    return above / below
