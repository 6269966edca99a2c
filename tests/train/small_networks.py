"""Networks small enough to train for hundreds of steps on the CPU, and a made teacher."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from voice_standins import Decoder, Ear, NoPitchLoss

from autovoice.nn.content_adapter import ContentAdapter
from autovoice.nn.ge2e import Ge2eMel
from autovoice.nn.mel24k import Mel24k
from autovoice.nn.sinc import Downsample24To16
from autovoice.nn.speaker_judge import SpeakerJudge
from autovoice.nn.style_encoder import StyleEncoder
from autovoice.nn.whisper_mel import WhisperMel
from autovoice.train import setup
from autovoice.train.corpus import Corpus
from autovoice.train.networks import Networks
from autovoice.train.synthetic import SyntheticBatch


class QuietDecoder(Decoder):
    """The made decoder, which the teacher's step calls without noise.

    Its levels are spread wide, so that words and voices can be heard.
    """

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.levels.weight.mul_(10.0)

    def forward(
        self, asr: Tensor, f0_hz: Tensor, energy: Tensor, style: Tensor, noise: Tensor | None = None
    ) -> Tensor:
        if noise is None:
            noise = torch.zeros(len(asr), 600 * asr.shape[2])
        return super().forward(asr, f0_hz, energy, style, noise)


class Speaker(nn.Module):
    """Stands for GE2E: a fixed random picture of the mean spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(40, 256)

    def forward(self, mel: Tensor) -> Tensor:
        out: Tensor = self.look(mel.mean(dim=1))
        return out


class SmallNetworks(Networks):
    """Every part under its own name; adapter, style encoder and judge are the real ones, thin."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.decoder = QuietDecoder()
        self.whisper, self.speaker = Ear(), Speaker()
        for frozen in (self.whisper, self.speaker):
            frozen.requires_grad_(False)
        self.adapter = ContentAdapter(channels=32, hidden=64)
        self.style = StyleEncoder(channels=32, hidden=64, blocks=2)
        self.judge = SpeakerJudge(channels=32)
        self.mel, self.whisper_mel = Mel24k(), WhisperMel()
        self.speaker_mel, self.to_16k = Ge2eMel(), Downsample24To16()


class SmallTeacher:
    """Choose of a few words and voices, and let a decoder of its own say them."""

    def __init__(self, frames: int) -> None:
        self.frames, self.decoder = frames, QuietDecoder()
        self.words, self.voices = torch.randn(6, 512), torch.randn(4, 128)

    @torch.no_grad()
    def sample(self, batch: int, chance: torch.Generator) -> SyntheticBatch:
        word = torch.randint(0, len(self.words), (batch,), generator=chance)
        asr = self.words[word][:, :, None].expand(-1, -1, self.frames).contiguous()
        style = self.voices[torch.randint(0, len(self.voices), (batch,), generator=chance)]
        f0_hz = (120 + 200 * torch.rand(batch, 1, generator=chance)).expand(-1, 2 * self.frames)
        energy = torch.full_like(f0_hz, 0.5)
        audio = self.decoder(asr, f0_hz, energy, style)
        whole = torch.full((batch,), self.frames)
        return SyntheticBatch(audio, asr, f0_hz, energy, style, whole, word > 2, word)


def build(
    data: Path,
    device: str,
    frames: int,
    limit: int | None,
    resume: Path | None,
    *,
    noisy_weight: float = 1.0,
) -> tuple[Networks, Corpus, SmallTeacher, nn.Module]:
    """Stand for ``setup.build``; what is not trained is the same whatever the seed of the run."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher, nets = SmallTeacher(frames), SmallNetworks()
    if resume is not None:
        setup.restore(nets, resume)
    return nets, Corpus(data, device, limit, noisy_weight=noisy_weight), teacher, NoPitchLoss()
