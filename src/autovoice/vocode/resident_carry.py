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
    changes,
    factors,
    for_unvoiced,
    hann,
    level_of,
    over_time,
    own_share_for,
    strength_for,
)

# One block of the plain way: what is longer is filtered block by block.
LONGEST_S = BLOCK_HOPS * HOP_SAMPLES / SAMPLE_RATE_HZ


@dataclass(frozen=True, eq=False)
class Pair:
    """A vocal ``[T]``, what was made of it, F0 at every hop, and itself decoded, if it was."""

    source: FloatArray
    converted: FloatArray
    f0_hz: FloatArray
    gain: float
    nearness: float
    own: FloatArray | None = None


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
        *,
        own: FloatArray | None = None,
    ) -> FloatArray:
        """Return the source with the converted vocal's colour.

        Args:
            source, converted: ``[T]`` at 24 kHz each, the source one that ``fits``.
            pitch: of both.
            gain: of the source, to bring it to the converted vocal's level.
            nearness: cosine of the two voices' embeddings.
            own: ``[T]``, the source decoded in its own voice. Default: it was not.

        Shape: ``[T]``.
        """
        f0_hz = at_hops(pitch, len(source) // HOP_SAMPLES + 1)
        pair = Pair(source, converted, f0_hz, gain, nearness, own)
        seconds, key = len(source) / SAMPLE_RATE_HZ, (len(source), own is not None)
        return self.batched(self._run, pair, key=key, seconds=seconds)

    def _run(self, pairs: Sequence[Pair]) -> list[FloatArray]:
        """Filter vocals of one length in one pass, all with their own voice or all without."""
        length, hops = len(pairs[0].source), len(pairs[0].f0_hz)
        sounds = [pair.source for pair in pairs] + [pair.converted for pair in pairs]
        sounds += [pair.own for pair in pairs if pair.own is not None]
        numbers = [pair.gain for pair in pairs]
        numbers += [strength_for(pair.nearness) for pair in pairs]
        numbers += [own_share_for(pair.nearness) for pair in pairs]
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
        sounds: ``[2 B, T]`` at 24 kHz: the sources, then what was made of them; ``[3 B, T]`` with
            the sources decoded in their own voices after these.
        f0_hz: ``[B, T // 120 + 1]``, 0 where unvoiced.
        numbers: ``[3 B]``, gains of the sources, strengths of the filter, shares of the own voices.

    Shape: ``[B, T]``.
    """
    count, length = len(f0_hz), sounds.shape[1]
    gains, strength, share = numbers.view(3, count, 1, 1)
    gains = gains[..., 0]
    loud = torch.cat([sounds[:count] * gains, sounds[count:]])
    window, options = hann(sounds.device), DifferentialOptions()
    flat = torch.stft(
        loud, N_FFT, HOP_SAMPLES, window=window, pad_mode="constant", return_complex=True
    )
    spectrum = flat.view(-1, count, *flat.shape[1:])
    apart = changes(spectrum, f0_hz)
    voiced = (f0_hz > 0).float()[:, None]
    sung = voiced.sum(2, keepdim=True)
    means = (apart * voiced).sum(3, keepdim=True) / sung.clamp_min(1)
    level = level_of(means[0])[..., None]
    rest = for_unvoiced(means[0] - level, options)
    change = over_time(apart, means, share) - level
    factor = factors(change, f0_hz, rest, options, strength)
    sound = overlap_add(spectrum[0] * factor, window, HOP_SAMPLES, length)
    return torch.where(sung[:, 0] > 0, sound, loud[:count])
