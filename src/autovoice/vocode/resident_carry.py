"""The filter that carries the source's excitation, as tensors: several vocals in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from autovoice.nn.overlap_add import overlap_add
from autovoice.nn.stage import NetworkStage
from autovoice.nn.transfer import Numbers, Rows, through
from autovoice.types import FloatArray, Pitch
from autovoice.vocode.differential import (
    BLOCK_HOPS,
    HOP_SAMPLES,
    N_FFT,
    SAMPLE_RATE_HZ,
    DifferentialOptions,
    at_hops,
    change_between,
    factors,
    for_unvoiced,
    hann,
    level_of,
    strength_for,
)

# One block of the plain way: what is longer is filtered block by block.
LONGEST_S = BLOCK_HOPS * HOP_SAMPLES / SAMPLE_RATE_HZ


@dataclass(frozen=True, eq=False)
class Pair:
    """A vocal ``[T]`` and what was made of it at 24 kHz, F0 at every hop, and two numbers."""

    source: FloatArray
    converted: FloatArray
    f0_hz: FloatArray
    gain: float
    strength: float


class ResidentCarry(NetworkStage):
    """Bring converted vocals' colour onto their sources; see ``differential.carry_excitation``.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    exact = True
    longest_s = LONGEST_S

    def limit_pass(self, seconds: float) -> None:
        """Leave what is longer to the plain stages."""
        self.longest_s = min(self.longest_s, seconds)

    def fits(self, source: FloatArray) -> bool:
        """Tell whether a vocal can be filtered so: up to 20 s."""
        return N_FFT <= len(source) <= self.longest_s * SAMPLE_RATE_HZ

    def carry(
        self,
        source: FloatArray,
        converted: FloatArray,
        pitch: Pitch,
        gain: float,
        nearness: float,
    ) -> FloatArray:
        """Return the source with the converted vocal's colour.

        Args:
            source, converted: ``[T]`` at 24 kHz each, the source one that ``fits``.
            pitch: of both.
            gain: of the source, to bring it to the converted vocal's level.
            nearness: cosine of the two voices' embeddings.

        Shape: ``[T]``.
        """
        f0_hz = at_hops(pitch, len(source) // HOP_SAMPLES + 1)
        pair = Pair(source, converted, f0_hz, gain, strength_for(nearness))
        seconds = len(source) / SAMPLE_RATE_HZ
        return self.batched(self._run, pair, key=len(source), seconds=seconds)

    def _run(self, pairs: Sequence[Pair]) -> list[FloatArray]:
        """Filter vocals of one length in one pass."""
        length, hops = len(pairs[0].source), len(pairs[0].f0_hz)
        sounds = [pair.source for pair in pairs] + [pair.converted for pair in pairs]
        numbers = [pair.gain for pair in pairs] + [pair.strength for pair in pairs]
        parts = (
            Rows(sounds, length),
            Rows([pair.f0_hz for pair in pairs], hops),
            Numbers(numbers, torch.float32),
        )

        def work(*tensors: Tensor) -> tuple[Tensor]:
            return (carried(*tensors),)

        return list(through(self.graphs, "carry", work, self.device, *parts).arrays()[0])


def carried(sounds: Tensor, f0_hz: Tensor, numbers: Tensor) -> Tensor:
    """Filter a batch.

    Args:
        sounds: ``[2 B, T]`` at 24 kHz: the sources, then what was made of them.
        f0_hz: ``[B, T // 120 + 1]``, 0 where unvoiced.
        numbers: ``[2 B]``, gains of the sources, then strengths of the filter.

    Shape: ``[B, T]``.
    """
    count, length = len(f0_hz), sounds.shape[1]
    gains, strength = numbers[:count, None], numbers[count:, None, None]
    loud = torch.cat([sounds[:count] * gains, sounds[count:]])
    window, options = hann(sounds.device), DifferentialOptions()
    flat = torch.stft(
        loud, N_FFT, HOP_SAMPLES, window=window, pad_mode="constant", return_complex=True
    )
    spectrum = flat.view(2, count, *flat.shape[1:])
    change = change_between(spectrum, f0_hz)
    voiced = (f0_hz > 0).float()[:, None]
    sung = voiced.sum(2, keepdim=True)
    mean = (change * voiced).sum(2, keepdim=True) / sung.clamp_min(1)
    level = level_of(mean)[..., None]
    rest = for_unvoiced(mean - level, options)
    factor = factors(change - level, f0_hz, rest, options, strength)
    sound = overlap_add(spectrum[0] * factor, window, HOP_SAMPLES, length)
    return torch.where(sung[:, 0] > 0, sound, loud[:count])
