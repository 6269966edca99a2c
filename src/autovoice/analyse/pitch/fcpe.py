"""Pitch by FCPE: heavier than SwiftF0, trained on song with music and noise mixed in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from autovoice import weights
from autovoice.analyse.pitch.base import checked, chunks, levelled, over_chunks
from autovoice.analyse.pitch.finish import finish
from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.nn.fcpe import (
    CONTEXT_FRAMES,
    GROUPS,
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    FcpeNetwork,
)
from autovoice.nn.stage import NetworkStage
from autovoice.types import FloatArray, Pitch

# Before the first sample; the same lies behind the last one.
_PAD_SAMPLES = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
# The sigmoid of the best bin: over 0.9 on steady vowels, under 0.1 in noise and breath. (The
# published threshold, 0.006, serves training on curves without gaps.)
RULES = VoicingRules(start=0.4, hold=0.15)


class FcpeTracker(NetworkStage):
    """Track pitch with FCPE (CNChTu, MIT): 33 to 1,975 Hz, 8 ms grid.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        mixed_precision: run the convolutions under autocast. Default off.
        cpu_fallback: go on on the CPU when the device is out of memory. Default on.
        rules: the voicing decision.
        chunk_frames: frames per pass of the network, which bounds the memory.
        tensors: weights by name; by default those of the registry.

    Raises:
        WeightsError: the weights cannot be had.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        rules: VoicingRules | None = None,
        chunk_frames: int = 3000,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        self.rules = rules or RULES
        self.chunk_frames = chunk_frames
        self.network = FcpeNetwork()
        self.network.load_state_dict(dict(tensors or weights.tensors("fcpe")))
        self.add_network(self.network)

    def track(self, samples: FloatArray) -> Pitch:
        """Track the pitch of 16 kHz mono audio; F0 is 0 where nothing is voiced.

        Args:
            samples: ``[T]`` at 16 kHz, any level, any length.

        Shape: ``[T]`` -> ``[T // 128 + 1]``.

        Raises:
            InputError: not mono, or not finite.
        """
        audio = checked(samples)
        f0_hz, confidence = self.estimate(levelled(audio))
        # Frame k of the network lies at 10 k ms: measured on glides, within 0.5 ms.
        raw = Pitch(f0_hz, confidence, HOP_SAMPLES / SAMPLE_RATE_HZ)
        return self.guarded(lambda: finish(audio, raw, self.rules, self.device))

    def estimate(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Run the network alone: F0 in Hz and confidence of every frame, ``[T // 160 + 1]``."""
        frames = len(samples) // HOP_SAMPLES + 1
        ends = (_PAD_SAMPLES, _PAD_SAMPLES + HOP_SAMPLES)
        if len(samples) > max(ends):
            padded = np.pad(samples, ends, mode="reflect")
        else:
            padded = np.pad(samples, ends)
        total = np.zeros((2, GROUPS))
        for first, end, left, right in chunks(frames, self.chunk_frames, 1):
            inside = slice(first - left, end - left)
            part = self._moments(padded, left, right)[..., inside].sum(axis=-1)
            total += part
        moments = total / frames

        def work(left: int, right: int) -> tuple[FloatArray, FloatArray]:
            return self.guarded(lambda: self._run(padded, left, right, moments))

        return over_chunks(frames, self.chunk_frames, CONTEXT_FRAMES, work)

    def _moments(self, padded: FloatArray, left: int, right: int) -> NDArray[np.float64]:
        def work() -> NDArray[np.float64]:
            moments = self.network.moments(self._mel(padded, left, right))
            found: NDArray[np.float64] = moments[0].cpu().numpy()
            return found

        return self.guarded(work)

    def _run(
        self, padded: FloatArray, left: int, right: int, moments: NDArray[np.float64]
    ) -> tuple[FloatArray, FloatArray]:
        whole = torch.from_numpy(moments).float().to(self.device)[None]
        f0_hz, confidence = self.network(self._mel(padded, left, right), whole)
        return f0_hz[0].cpu().numpy(), confidence[0].cpu().numpy()

    def _mel(self, padded: FloatArray, left: int, right: int) -> torch.Tensor:
        cut = padded[left * HOP_SAMPLES : (right - 1) * HOP_SAMPLES + WINDOW_SAMPLES]
        return self.network.mel(torch.from_numpy(cut).to(self.device)[None])
