"""What the decoder reads of windows of streams, and the plain decoder over them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.moment_memory import MomentMemory

# Samples for a frame of F0.
HOP_SAMPLES = 300


@dataclass(frozen=True, eq=False)
class DecoderWindow:
    """A window of ``T`` frames of each of ``B`` streams, of which only the end is made sound.

    Args:
        asr, f0_hz, energy, style, noise: see ``KokoroDecoder``.
        start_phase: ``[B]`` float64, cycles before the first sample.
        memory: what the layers normalise by.
        skipped: frames of 300 samples at the beginning that need no sound.
    """

    asr: Tensor
    f0_hz: Tensor
    energy: Tensor
    style: Tensor
    noise: Tensor
    start_phase: Tensor
    memory: MomentMemory
    skipped: int

    def end(self, source: Tensor) -> Tensor:
        """Return the excitation of what is made sound, ``[B, 600 T - 300 skipped]``."""
        return source[:, HOP_SAMPLES * self.skipped :]


def plain_window(network: KokoroDecoder, given: DecoderWindow) -> Tensor:
    """Decode windows by the plain network, ``[B, 600 T - 300 skipped]``."""
    source = network.generator.m_source(given.f0_hz, given.noise, given.start_phase)
    with given.memory.worn_by(network):
        rows = network.features(given.asr, given.f0_hz, given.energy, given.style)
        made: Tensor = network.generator(
            rows[:, :, given.skipped :], given.style, given.end(source)
        )
    return made
