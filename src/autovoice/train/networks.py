"""Every network that training holds, and how sound becomes what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autovoice.nn.content_adapter import ContentAdapter
from autovoice.nn.decoder import KokoroDecoder
from autovoice.nn.ge2e import Ge2eMel, Ge2eNetwork
from autovoice.nn.mel24k import Mel24k, log_norm
from autovoice.nn.sinc import Downsample24To16
from autovoice.nn.speaker_judge import SpeakerJudge
from autovoice.nn.style_encoder import StyleEncoder
from autovoice.nn.whisper_encoder import WhisperEncoder
from autovoice.nn.whisper_mel import WhisperMel
from autovoice.train.hearing import heard

Tensors = Mapping[str, Tensor]


@dataclass
class Pretrained:
    """Weights that training starts from, by model name."""

    decoder: Tensors
    whisper: Tensors
    speaker: Tensors
    packs: Tensor


class Networks(nn.Module):
    """The trained parts and the frozen ones.

    ``adapter``, ``style`` and (later) ``decoder`` learn; ``whisper``, ``speaker`` (GE2E, an input
    only, never a judge) and, after its own training, ``judge`` are frozen.
    """

    def __init__(self, pretrained: Pretrained) -> None:
        super().__init__()
        self.decoder = KokoroDecoder()
        self.decoder.load_state_dict(dict(pretrained.decoder))
        self.whisper = WhisperEncoder()
        self.whisper.load_state_dict({k: v.float() for k, v in pretrained.whisper.items()})
        self.speaker = Ge2eNetwork()
        self.speaker.load_state_dict(dict(pretrained.speaker))
        for frozen in (self.whisper, self.speaker):
            frozen.requires_grad_(False)
        self.adapter = ContentAdapter()
        self.style = StyleEncoder()
        timbre = pretrained.packs[:, :, :128].reshape(-1, 128)
        self.style.mean.copy_(timbre.mean(0))
        self.style.spread.copy_(timbre.std(0).clamp_min(0.03))
        self.judge = SpeakerJudge()
        self.mel = Mel24k()
        self.whisper_mel = WhisperMel()
        self.speaker_mel = Ge2eMel()
        self.to_16k = Downsample24To16()

    def content(self, audio: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Listen for words, ``[B, S] -> [B, 1024, F]``; disguised when a generator is given."""
        return heard(self.whisper, self.whisper_mel(self.to_16k(audio)), generator)

    def embed(self, reference: Tensor) -> Tensor:
        """Embed a reference for the style encoder, ``[B, R] -> [B, 256]`` unit length."""
        with torch.no_grad(), torch.autocast(reference.device.type, enabled=False):
            mel = self.speaker_mel(self.to_16k(reference))
            width = 160
            count = max(1, (mel.shape[1] - width) // 80 + 1)
            windows = [mel[:, 80 * i : 80 * i + width] for i in range(count)]
            # All in one pass: a recurrent network takes as long for one as for all.
            vectors = self.speaker(torch.cat(windows)).view(count, len(mel), -1).mean(0)
            return nn.functional.normalize(vectors, dim=1)

    def style_of(self, reference: Tensor) -> Tensor:
        """Describe a voice, ``[B, R] -> [B, 128]``."""
        mel = self.mel(reference)
        loudness = log_norm(mel)
        mask = loudness > loudness.amax(dim=1, keepdim=True) - 7.0
        out: Tensor = self.style(mel, self.embed(reference), mask)
        return out

    def energy(self, audio: Tensor) -> Tensor:
        """Measure the decoder's energy curve, ``[B, S] -> [B, S // 300]``."""
        return log_norm(self.mel(audio))
