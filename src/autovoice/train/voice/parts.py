"""The networks that training a voice needs, as the engine uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autovoice.nn.content_adapter import ContentAdapter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.mel24k import Mel24k
from autovoice.nn.sinc import Downsample24To16
from autovoice.nn.whisper_encoder import WhisperEncoder
from autovoice.nn.whisper_mel import WhisperMel
from autovoice.train.hearing import heard
from autovoice.train.losses import MelDistance
from autovoice.train.octave_loss import OctaveLoss
from autovoice.train.pitch_loss import PitchLoss

Tensors = Mapping[str, Tensor]


@dataclass(eq=False)
class Parts:
    """Frozen networks and losses on one device; gradients pass through, weights stay.

    Args:
        content: ``ContentAdapter``: ``([B, 1024, F], frames) -> [B, 512, frames]``.
        decoder: words, pitch, energy, style and noise to sound.
        whisper: hears the words.
        distance, pitch: the losses.
        device: where all of them are.
    """

    content: nn.Module
    decoder: nn.Module
    whisper: nn.Module
    distance: nn.Module
    pitch: nn.Module
    device: str

    def __post_init__(self) -> None:
        self.mel, self.to_16k, self.mel24k = WhisperMel(), Downsample24To16(), Mel24k()
        self.octave = OctaveLoss()
        everything = (self.content, self.decoder, self.whisper, self.distance, self.pitch)
        for network in (*everything, self.mel, self.to_16k, self.mel24k, self.octave):
            network.requires_grad_(False).eval().to(self.device)

    def hear(self, audio: Tensor, chance: torch.Generator | None = None) -> Tensor:
        """Listen for words, with gradients for the sound; disguised when ``chance`` is given.

        Shape: ``[B, S]`` at 24 kHz -> ``[B, 1024, F]`` at 50 frames/s.
        """
        return heard(self.whisper, self.mel(self.to_16k(audio)), chance)


def load_parts(device: str) -> Parts:
    """Load the voice model that comes with the program, and what judges it.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        WeightsError: weights are missing.
    """
    from autovoice import weights
    from autovoice.vocode.vocoder import Vocoder

    content = ContentAdapter()
    content.load_state_dict(weights.voice_model("adapter"))
    whisper = WhisperEncoder()
    whisper.load_state_dict({k: v.float() for k, v in weights.tensors("whisper-base").items()})
    decoder: KokoroDecoder = Vocoder().network
    pitch = PitchLoss(weights.tensors("swift-f0"))
    return Parts(content, decoder, whisper, MelDistance(), pitch, device)
