"""From what was heard to what the decoder reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autovoice import weights
from autovoice.convert.curves import energy_curve, pitch_curve
from autovoice.convert.features import DecoderFeatures
from autovoice.errors import InputError
from autovoice.nn.content_adapter import ASR_RATE_HZ, ContentAdapter
from autovoice.nn.low_rank import Adapted
from autovoice.nn.stage import NetworkStage
from autovoice.types import Analysis, Curve, FloatArray, Pitch, Speaker

# The layers of the recogniser that the adapter was trained on, as ``Content.layers`` names them.
CONTENT_LAYERS = (4, 6)
HIGHEST_F0_HZ = 1_400.0


@dataclass(frozen=True, eq=False)
class _Piece:
    """Content as the adapter reads it, how many frames to make of it, and what training added."""

    stacked: FloatArray
    frames: int
    adapter: Mapping[str, Any]


class Converter(NetworkStage):
    """Make decoder features of an analysis.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        tensors: the adapter's weights; by default those that come with the program.

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
        self.adapter = ContentAdapter()
        self.adapter.load_state_dict(tensors or weights.voice_model("adapter"))
        self.add_network(self.adapter, half=True)
        self.adapted = Adapted(self.adapter, "content.")

    def convert(
        self, analysis: Analysis, speaker: Speaker, *, semitones: float = 0
    ) -> DecoderFeatures:
        """Convert one piece.

        Args:
            analysis: of a piece of up to about a minute.
            speaker: the voice; only what its training added is read here, the vocoder applies
                its timbre.
            semitones: shift of the melody.

        Raises:
            InputError: the content comes from other layers than the adapter knows.
            VoiceError: what training added does not fit the adapter.
        """
        content = analysis.content
        if tuple(content.layers) != CONTENT_LAYERS:
            raise InputError(f"content: found layers {content.layers}, expected {CONTENT_LAYERS}")
        frames = max(1, round(analysis.seconds * ASR_RATE_HZ))
        planes = content.features
        stacked = planes.transpose(0, 2, 1).reshape(-1, planes.shape[1])
        piece = _Piece(np.ascontiguousarray(stacked), frames, speaker.adapter)
        adapter = id(speaker.adapter) if speaker.adapter else None
        asr = self.batched(
            self._run, piece, key=(stacked.shape, frames, adapter), seconds=analysis.seconds
        )
        f0_hz, energy = self.curves(analysis.pitch, analysis.energy, frames, semitones)
        return DecoderFeatures(asr, f0_hz, energy, as_written=not semitones)

    @staticmethod
    def curves(
        pitch: Pitch, energy: Curve, frames: int, semitones: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return F0 and energy as the decoder reads them, ``[2 T]`` each."""
        f0_hz = pitch_curve(pitch, 2 * frames, semitones)
        # A note above the model's range is sung in the next octave below rather than left out.
        octaves = np.ceil(np.log2(np.maximum(f0_hz, HIGHEST_F0_HZ) / HIGHEST_F0_HZ))
        return (f0_hz / 2.0**octaves).astype(np.float32), energy_curve(energy, 2 * frames)

    def words(self, planes: torch.Tensor, frames: int, adapter: Mapping[str, Any]) -> torch.Tensor:
        """Adapt what the recogniser said on the device; called from inside of a turn.

        Args:
            planes: ``[B, L, F, D]``, of ``CONTENT_LAYERS``.
            frames: of the result.
            adapter: what training added to the voice.

        Shape: ``[B, 512, frames]``.
        """
        with torch.inference_mode(mode=False):
            self.adapted.wear(adapter)
        return self._adapt(planes.transpose(2, 3).flatten(1, 2), frames)

    def _run(self, pieces: Sequence[_Piece]) -> list[FloatArray]:
        """Adapt pieces of one shape and adapter in one pass, each to ``[512, frames]``."""
        with torch.inference_mode(mode=False):
            self.adapted.wear(pieces[0].adapter)
        features = torch.from_numpy(np.stack([piece.stacked for piece in pieces])).to(self.device)
        asr: FloatArray = self._adapt(features, pieces[0].frames).cpu().numpy()
        return list(asr)

    def _adapt(self, features: torch.Tensor, frames: int) -> torch.Tensor:
        """Run the adapter over ``[B, L D, F]``."""

        def work(content: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.adapter(content.to(self.adapter.inward.weight.dtype), frames)
            return made.float()

        return self.graphs(f"adapt {frames}", work, features)
