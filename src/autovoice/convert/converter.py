"""From what was heard to what the decoder reads."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from autovoice import weights
from autovoice.convert.curves import energy_curve, pitch_curve
from autovoice.convert.features import DecoderFeatures
from autovoice.errors import InputError
from autovoice.nn.content_adapter import ASR_RATE_HZ, ContentAdapter
from autovoice.nn.low_rank import Adapted
from autovoice.nn.stage import NetworkStage
from autovoice.types import Analysis, FloatArray, Speaker

# The layers of the recogniser that the adapter was trained on, as ``Content.layers`` names them.
CONTENT_LAYERS = (4, 6)
HIGHEST_F0_HZ = 1_400.0


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
        self.adapted.wear(speaker.adapter)
        planes = content.features
        stacked = planes.transpose(0, 2, 1).reshape(-1, planes.shape[1])
        asr = self.guarded(partial(self._run, np.ascontiguousarray(stacked), frames))
        f0_hz = pitch_curve(analysis.pitch, 2 * frames, semitones)
        # A note above the model's range is sung in the next octave below rather than left out.
        octaves = np.ceil(np.log2(np.maximum(f0_hz, HIGHEST_F0_HZ) / HIGHEST_F0_HZ))
        f0_hz = (f0_hz / 2.0**octaves).astype(np.float32)
        return DecoderFeatures(asr, f0_hz, energy_curve(analysis.energy, 2 * frames))

    def _run(self, stacked: FloatArray, frames: int) -> FloatArray:
        features = torch.from_numpy(stacked).to(self.device)[None]

        def work(content: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.adapter(content.to(self.adapter.inward.weight.dtype), frames)
            return made.float()

        asr: FloatArray = self.graphs(f"adapt {frames}", work, features)[0].cpu().numpy()
        return asr
