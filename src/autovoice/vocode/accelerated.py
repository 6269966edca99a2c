"""The decoder on a GPU: fused kernels where they can run, replayed as graphs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.kernels.library import load
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.decoder_window import DecoderWindow
from autovoice.nn.fused_decoder import FusedDecoder
from autovoice.nn.graphs import GraphCache

# What the widest convolution of the decoder needs of one block's shared memory.
LEAST_SHARED_BYTES = 96 << 10
LEAST_CAPABILITY = (8, 0)


def can_accelerate(device: torch.device) -> tuple[bool, str]:
    """Tell whether the fused kernels can run on a device, and why not."""
    if device.type != "cuda":
        return False, f"{device.type} is no CUDA device"
    loaded, reason = load()
    if not loaded:
        return False, reason
    facts = torch.cuda.get_device_properties(device)
    if (facts.major, facts.minor) < LEAST_CAPABILITY:
        return False, f"{facts.name} is older than compute capability 8.0"
    shared = getattr(facts, "shared_memory_per_block_optin", facts.shared_memory_per_block)
    if shared < LEAST_SHARED_BYTES:
        return False, f"{facts.name} has too little shared memory"
    return True, f"{facts.name} runs the fused kernels"


class AcceleratedDecoder:
    """Run a decoder through the fused kernels, in half precision.

    Args:
        decoder: anywhere; its weights are copied.
        device: the CUDA device to run on. Default: the decoder's.
    """

    def __init__(self, decoder: KokoroDecoder, device: torch.device | None = None) -> None:
        self._decoder = decoder
        self._device = device or next(decoder.parameters()).device
        self._fused = self._built()
        self._graphs = GraphCache()

    def __call__(self, *tensors: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Decode.

        Args:
            tensors: ``asr, f0_hz, energy, style, noise`` of ``KokoroDecoder``.
            lengths: ``[B]`` int32, frames of ``asr`` of each item that count. Default all.
        """
        count = len(tensors[0])
        if lengths is None:
            lengths = tensors[0].new_full((count,), tensors[0].shape[2], dtype=torch.int32)
        # Batches of few sizes recur, and with them their graphs; rows of no length cost nothing.
        missing = (1 << (count - 1).bit_length()) - count
        filled = [F.pad(x, (0, 0) * (x.ndim - 1) + (0, missing)) for x in (*tensors, lengths)]
        return self._graphs("decode", self._decode, *filled)[:count]

    def _decode(self, *tensors: Tensor) -> Tensor:
        # What is in half precision here is so of itself; autocast would halve the style too.
        with torch.autocast(tensors[0].device.type, enabled=False):
            made: Tensor = self._fused(*tensors[:5], lengths=tensors[5])
        return made

    def window(self, given: DecoderWindow) -> Tensor:
        """Decode windows of streams, see ``FusedDecoder.window``; whoever asks captures it."""
        with torch.autocast(given.asr.device.type, enabled=False):
            made: Tensor = self._fused.window(given)
        return made

    def refresh(self) -> None:
        """Take the decoder's weights again, after they changed: in place, so that graphs see it."""
        fresh = self._built()
        for old, new in zip(_tensors(self._fused), _tensors(fresh), strict=True):
            old.copy_(new)

    def _built(self) -> FusedDecoder:
        fused = FusedDecoder(self._decoder, torch.float16).to(self._device)
        return fused.requires_grad_(False)


def _tensors(network: FusedDecoder) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
