"""One training step of each kind: what is computed and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.speaker_judge import AngularMargin
from autovoice.train.corpus import Crops
from autovoice.train.losses import MelDistance, cosine_gap
from autovoice.train.networks import Networks
from autovoice.train.perturb import disguise
from autovoice.train.pitch_loss import PitchLoss
from autovoice.train.synthetic import SyntheticBatch

MEL24K_UNIT_PER_DB = 0.0576
JUDGE_SPEEDS = (0.88, 1.0, 1.13)
Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Made:
    """What a step decoded, for the discriminators: ``[B, S]`` each."""

    made: Tensor
    real: Tensor
    band_hz: Tensor


def judge_step(
    nets: Networks, head: AngularMargin, crops: Crops, chance: torch.Generator
) -> Losses:
    """Train the speaker judge: who is it, at which of three speeds."""
    with torch.no_grad():
        mel = nets.mel(crops.audio)
        mel = disguise(mel, chance, warp=0.0, colour_db=4.0, unit_per_db=MEL24K_UNIT_PER_DB)
    speed = torch.zeros_like(crops.speaker)
    for index, value in enumerate(JUDGE_SPEEDS):
        speed[(crops.speed - value).abs() < 1e-3] = index
    return {"judge": head(nets.judge(mel), crops.speaker * len(JUDGE_SPEEDS) + speed)}


def teacher_step(
    nets: Networks,
    batch: SyntheticBatch,
    distance: MelDistance | None,
    chance: torch.Generator,
) -> Losses:
    """Learn from the teacher's pairs: its words, its style, and the sound of both together.

    Without a ``distance`` the sound is left out: the teacher's own pitch is some 20 cents off
    what it was given, which a decoder that learns should not copy.
    """
    frames = batch.asr.shape[2]
    asr = nets.adapter(nets.content(batch.audio, chance), frames)
    style = nets.style_of(batch.audio)
    spread = nets.style.spread
    losses = {
        "asr": F.smooth_l1_loss(asr.float(), batch.asr) + cosine_gap(asr, batch.asr),
        "style": ((style - batch.style) / spread).square().mean(),
    }
    if distance is None:
        return losses
    energy = nets.energy(batch.audio)
    made = nets.decoder(asr, batch.f0_hz, energy, style)
    band = torch.full((len(made),), 12_000.0, device=made.device)
    losses["mel_synthetic"] = distance(made, batch.audio, band)
    return losses


def real_step(
    nets: Networks,
    crops: Crops,
    distance: MelDistance,
    pitch: PitchLoss,
    chance: torch.Generator,
) -> tuple[Losses, Made]:
    """Rebuild real speech from disguised words and another clip's style."""
    frames = crops.audio.shape[1] // 600
    asr = nets.adapter(nets.content(crops.audio, chance), frames)
    style = nets.style_of(crops.reference)
    noise = torch.randn_like(crops.audio)
    made = nets.decoder(asr, crops.f0_hz, nets.energy(crops.audio), style, noise)
    losses = {
        "mel_real": distance(made, crops.audio, crops.band_hz),
        "pitch": pitch(made, crops.f0_hz),
    }
    return losses, Made(made, crops.audio, crops.band_hz)


def cross_step(
    nets: Networks, crops: Crops, pitch: PitchLoss, chance: torch.Generator
) -> tuple[Losses, Made]:
    """Convert each item to its neighbour's voice; words must stay and the voice must come."""
    frames = crops.audio.shape[1] // 600
    with torch.no_grad():
        heard = nets.content(crops.audio)
        wanted = nets.judge(nets.mel(crops.reference)).roll(1, 0)
        own = nets.judge(nets.mel(crops.reference))
    asr = nets.adapter(nets.content(crops.audio, chance), frames)
    style = nets.style_of(crops.reference).roll(1, 0)
    f0_hz = _move_pitch(crops, chance)
    made = nets.decoder(
        asr, f0_hz, nets.energy(crops.audio), style,
        torch.randn_like(crops.audio),
    )  # fmt: skip
    voice = nets.judge(nets.mel(made))
    losses = {
        "words": cosine_gap(nets.content(made)[:, 512:], heard[:, 512:]),
        "voice": cosine_gap(voice, wanted),
        "pitch": pitch(made, f0_hz),
        "leak": F.relu((voice * own).sum(1) - (wanted * own).sum(1) - 0.1).mean(),
    }
    return losses, Made(made, crops.audio, crops.band_hz)


def _move_pitch(crops: Crops, chance: torch.Generator) -> Tensor:
    """Bring each pitch to the other voice's: half of them exactly, half by whole octaves.

    A quarter is then raised by up to an octave and a half, since people sing higher than they
    speak.
    """
    octaves = torch.log2(crops.f0_median_hz.roll(1, 0) / crops.f0_median_hz)
    whole = torch.rand(len(octaves), generator=chance, device=octaves.device) < 0.5
    octaves = torch.where(whole, octaves.round(), octaves).clamp(-1.5, 1.5)
    draw = torch.rand(len(octaves), generator=chance, device=octaves.device)
    octaves = octaves + (draw - 0.75).clamp_min(0) * 6
    moved = crops.f0_hz * torch.exp2(octaves)[:, None]
    return moved.clamp(max=1_200.0)
