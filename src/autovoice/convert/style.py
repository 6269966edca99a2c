"""Describe a voice for the decoder."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from autovoice import weights
from autovoice.errors import InputError
from autovoice.nn.mel24k import HOP_SAMPLES, SAMPLE_RATE_HZ, Mel24k, log_norm
from autovoice.nn.stage import NetworkStage
from autovoice.nn.style_encoder import StyleEncoder as Network
from autovoice.types import FloatArray

# Pieces of this length were seen in training; a style is the mean over pieces.
PIECE_S = 3.0
# A frame this far (nepers of power) under the loudest is not voice.
_RANGE = 7.0


class StyleEncoder(NetworkStage):
    """Turn recordings of a voice into the decoder's timbre vector.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tensors: the network's weights; by default those that come with the program.

    Raises:
        WeightsError: the weights cannot be had.
    """

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
        cpu_fallback: bool = True,
        tensors: dict[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(device=device, mixed_precision=mixed_precision, cpu_fallback=cpu_fallback)
        self.mel = Mel24k()
        self.network = Network()
        self.network.load_state_dict(tensors or weights.voice_model("style"))
        self.add_network(self.mel)
        self.add_network(self.network)

    def encode(self, samples: FloatArray, embedding: FloatArray) -> FloatArray:
        """Encode a recording of one voice.

        Args:
            samples: ``[T]`` at 24 kHz, at the level of ``analyse.loudness.level_gain``.
            embedding: ``[256]`` speaker embedding of the same recording.

        Returns:
            ``[128]``.

        Raises:
            InputError: shorter than a frame.
        """
        if samples.ndim != 1 or len(samples) < 4 * HOP_SAMPLES:
            raise InputError(
                f"style: found samples {list(samples.shape)}, expected mono [T], 50 ms"
            )
        return self.guarded(partial(self._run, samples, embedding))

    def _run(self, samples: FloatArray, embedding: FloatArray) -> FloatArray:
        size = round(PIECE_S * SAMPLE_RATE_HZ)
        count = max(1, round(len(samples) / size))
        pieces = np.array_split(samples, count)
        shortest = min(len(piece) for piece in pieces)
        batch = torch.from_numpy(np.stack([piece[:shortest] for piece in pieces])).to(self.device)
        mel = self.mel(batch)
        loudness = log_norm(mel)
        # The floor is one for all pieces, so that a silent piece weighs nothing.
        mask = loudness > loudness.max() - _RANGE
        weight = mask.float().mean(1)
        named = torch.from_numpy(embedding).to(self.device)[None].expand(count, -1)
        styles = self.network(mel, named, mask).float()
        mean = (styles * weight[:, None]).sum(0) / weight.sum().clamp_min(1e-6)
        style: FloatArray = mean.cpu().numpy()
        return style
