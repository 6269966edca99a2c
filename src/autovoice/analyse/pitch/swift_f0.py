"""Pitch by SwiftF0: the default tracker, 14,000 weights, a few hundred times real time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from autovoice import weights
from autovoice.analyse.pitch.base import checked, levelled, over_chunks
from autovoice.analyse.pitch.finish import finish
from autovoice.analyse.pitch.voicing import VoicingRules
from autovoice.nn.stage import NetworkStage
from autovoice.nn.swift_f0 import CONTEXT_FRAMES, HOP_SAMPLES, SAMPLE_RATE_HZ, SwiftF0Network
from autovoice.types import FloatArray, Pitch


class SwiftF0Tracker(NetworkStage):
    """Track pitch with SwiftF0 (Nieradzik 2025, MIT): 47 to 2,094 Hz, 8 ms grid.

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
        chunk_frames: int = 1875,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        self.rules = rules or VoicingRules()
        self.chunk_frames = chunk_frames
        self.network = SwiftF0Network()
        self.network.load_state_dict(dict(tensors or weights.tensors("swift-f0")))
        self.add_network(self.network)

    def track(self, samples: FloatArray) -> Pitch:
        """Track the pitch of 16 kHz mono audio.

        F0 is 0 where nothing is voiced; frame ``k`` is centred at ``8 k`` ms (the network's own
        frames at ``16 k`` ms: measured on glides, within 1 ms).

        Args:
            samples: ``[T]`` at 16 kHz, any level, any length.

        Shape: ``[T]`` -> ``[T // 128 + 1]``.

        Raises:
            InputError: not mono, or not finite.
        """
        audio = checked(samples)
        f0_hz, confidence = self.estimate(levelled(audio))
        raw = Pitch(f0_hz, confidence, HOP_SAMPLES / SAMPLE_RATE_HZ)
        return self.guarded(lambda: finish(audio, raw, self.rules, self.device, self.graphs))

    def estimate(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Run the network alone: F0 in Hz and confidence of every frame, ``[T // 256 + 1]``."""
        frames = len(samples) // HOP_SAMPLES + 1
        padded = np.pad(samples, (0, frames * HOP_SAMPLES - len(samples)))

        def work(left: int, right: int) -> tuple[FloatArray, FloatArray]:
            cut = padded[left * HOP_SAMPLES : right * HOP_SAMPLES]
            key, seconds = len(cut), len(cut) / SAMPLE_RATE_HZ
            return self.batched(self._run, cut, key=key, seconds=seconds)

        return over_chunks(frames, self.chunk_frames, CONTEXT_FRAMES, work)

    def _run(self, cuts: Sequence[FloatArray]) -> list[tuple[FloatArray, FloatArray]]:
        """Track stretches of one length in one pass."""
        audio = torch.from_numpy(np.stack(cuts)).to(self.device)
        both = self.graphs("track", self._curves, audio).cpu().numpy()
        return list(zip(both[0], both[1], strict=True))

    def _curves(self, audio: torch.Tensor) -> torch.Tensor:
        return torch.stack(self.network(audio))
