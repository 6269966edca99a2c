"""The decoder as it runs on a GPU: fused kernels in half precision, the same arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autovoice.kernels import harmonic_source
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.decoder_window import DecoderWindow
from autovoice.nn.fused_features import FusedFeatures
from autovoice.nn.fused_generator import FusedGenerator
from autovoice.nn.fused_rows import grown


class FusedDecoder(nn.Module):
    """Run ``KokoroDecoder`` through the custom ops; inference only.

    Args:
        decoder: whose weights are taken.
        dtype: of weights and features; float16 on CUDA, float32 on the CPU.
    """

    def __init__(self, decoder: KokoroDecoder, dtype: torch.dtype = torch.float16) -> None:
        super().__init__()
        self.dtype = dtype
        self.generator = FusedGenerator(decoder.generator, dtype)
        self.features = FusedFeatures(decoder, dtype)
        mixer = decoder.generator.m_source.l_linear
        self.register_buffer("share", mixer.weight.detach()[0].float().clone(), persistent=False)
        self.register_buffer("offset", mixer.bias.detach().float().clone(), persistent=False)

    def forward(
        self,
        asr: Tensor,
        f0_hz: Tensor,
        energy: Tensor,
        style: Tensor,
        noise: Tensor | None = None,
        *,
        seed: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Decode; arguments and shapes are those of ``KokoroDecoder``.

        Args:
            asr, f0_hz, energy, style, noise: see there.
            seed: ``[B, 2]`` int64, instead of ``noise``; see ``kernels.harmonic_source``.
            lengths: ``[B]`` int32, frames of ``asr`` of each item that count: items of several
                lengths go through together, each as if it were alone. Default all.
        """
        source, _ = harmonic_source(
            f0_hz.float(),
            self.get_buffer("share"),
            self.get_buffer("offset"),
            noise=noise,
            seed=seed,
        )
        x = self.features(asr, f0_hz, energy, style, lengths)
        made: Tensor = self.generator(x, style, source, grown(lengths, 2))
        return made

    def window(self, given: DecoderWindow) -> Tensor:
        """Decode the end of windows of streams, ``[B, 600 T - 300 skipped]`` float32."""
        source, _ = harmonic_source(
            given.f0_hz.float(),
            self.get_buffer("share"),
            self.get_buffer("offset"),
            start_phase=given.start_phase,
            noise=given.noise,
        )
        rows = self.features(given.asr, given.f0_hz, given.energy, given.style, memory=given.memory)
        heard = given.end(source).contiguous()
        made: Tensor = self.generator(
            rows[:, given.skipped :], given.style, heard, memory=given.memory
        )
        return made
