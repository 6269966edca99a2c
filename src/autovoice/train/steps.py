"""One training step of each kind: what is computed and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from autovoice.nn.speaker_judge import AngularMargin
from autovoice.train.colour import colour_gap, long_term
from autovoice.train.consonant_loss import consonant_gap
from autovoice.train.contrast import long_power_gap, long_valley_loss, power_gap, valley_loss
from autovoice.train.corpus import Crops
from autovoice.train.floor_loss import FloorLoss
from autovoice.train.losses import MelDistance, cosine_gap
from autovoice.train.networks import Networks
from autovoice.train.octave_loss import DoublingLoss, OctaveLoss
from autovoice.train.options import Moves
from autovoice.train.perturb import disguise
from autovoice.train.pitch_loss import PitchLoss
from autovoice.train.step_profile import Profile
from autovoice.train.synthetic import SyntheticBatch

MEL24K_UNIT_PER_DB = 0.0576
JUDGE_SPEEDS = (0.88, 1.0, 1.13)
# The pitch of a clip that has no voiced frame to tell it.
_USUAL_HZ = 180.0
# No note is moved below.
_LOWEST_HZ = 60.0
# Voices that lie nearer to one another than a third are alike in pitch.
_ALIKE_OCTAVES = 0.4
Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Made:
    """What a step decoded, for the discriminators.

    Args:
        made, real: ``[B, S]`` 24 kHz. Of a conversion the real sound is the wanted person's.
        band_hz: ``[B]`` up to where to compare.
        wanted: ``[B, D]`` the speaker judge's view of the wanted person; None where the real
            sound is what the made one should have been.
    """

    made: Tensor
    real: Tensor
    band_hz: Tensor
    wanted: Tensor | None = None


@dataclass(frozen=True)
class Judges:
    """What a conversion is judged by besides its words and its voice.

    Args:
        pitch, octave, doubled, floor: losses.
        wanted: names of the losses of ``contrast.py`` and ``consonant_loss.py`` to compute.
        moves: how melodies are moved.
        profile: times the parts of a step.
    """

    pitch: PitchLoss
    octave: OctaveLoss = field(default_factory=OctaveLoss)
    doubled: DoublingLoss = field(default_factory=DoublingLoss)
    floor: FloorLoss = field(default_factory=FloorLoss)
    wanted: frozenset[str] = frozenset()
    moves: Moves = field(default_factory=Moves)
    profile: Profile = field(default_factory=Profile)

    def to(self, device: str) -> Judges:
        """Move all of them."""
        for judge in (self.pitch, self.octave, self.doubled, self.floor):
            judge.to(device)
        return self


def judge_step(
    nets: Networks,
    head: AngularMargin,
    crops: Crops,
    chance: torch.Generator,
    colour_db: float = 1.0,
) -> Losses:
    """Train the speaker judge: who is it, at which of three speeds, under which equaliser."""
    with torch.no_grad():
        mel = nets.mel(crops.audio)
        # Hardly any colour: a judge that overhears it is pleased by a voice 12 dB too thin.
        mel = disguise(mel, chance, warp=0.0, colour_db=colour_db, unit_per_db=MEL24K_UNIT_PER_DB)
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
    judges: Judges,
    chance: torch.Generator,
) -> tuple[Losses, Made]:
    """Rebuild real speech from disguised words and another clip's style."""
    part = judges.profile.part
    frames = crops.audio.shape[1] // 600
    with part("words and style"):
        asr = nets.adapter(nets.content(crops.audio, chance), frames)
        style = nets.style_of(crops.reference)
        noise, energy = torch.randn_like(crops.audio), nets.energy(crops.audio)
    with part("generator"):
        made = nets.decoder(asr, crops.f0_hz, energy, style, noise)
    with part("judges"):
        quiet, loud = distance.compare(made, crops.audio, crops.band_hz)
        losses = {
            "mel_real": quiet,
            "peaks": loud,
            "pitch": judges.pitch(made, crops.f0_hz),
            "octave": judges.octave(made, crops.f0_hz),
            "doubled": judges.doubled(made, crops.f0_hz),
        }
        if judges.wanted & {"power", "valleys"}:
            ours, true = nets.mel(made), nets.mel(crops.audio)
            if "power" in judges.wanted:
                losses["power"] = power_gap(ours, true, crops.band_hz)
            if "valleys" in judges.wanted:
                losses["valleys"] = valley_loss(ours, true, crops.band_hz)
    return losses, Made(made, crops.audio, crops.band_hz)


def cross_step(
    nets: Networks, crops: Crops, judges: Judges, chance: torch.Generator
) -> tuple[Losses, Made]:
    """Convert each item to its neighbour's voice; words must stay and the voice must come."""
    with torch.no_grad():
        own = nets.judge(nets.mel(crops.reference))
    neighbour = crops.f0_median_hz.roll(1, 0)
    f0_hz = move_pitch(crops.f0_hz, crops.f0_median_hz, neighbour, chance, judges.moves)
    source = Source(crops.audio, f0_hz, nets.energy(crops.audio), own, crops.band_hz)
    losses, made, wanted = _convert(nets, source, crops.reference.roll(1, 0), judges, chance)
    return losses, Made(made, crops.audio.roll(1, 0), crops.band_hz.roll(1, 0), wanted)


def sung_step(
    nets: Networks,
    batch: SyntheticBatch,
    crops: Crops,
    judges: Judges,
    chance: torch.Generator,
) -> tuple[Losses, Made]:
    """Convert the teacher's speech and song to real voices; learn its words and its style too."""
    with torch.no_grad():
        own = nets.judge(nets.mel(batch.audio))
    voiced = batch.f0_hz.masked_fill(batch.f0_hz <= 0, torch.nan)
    median = voiced.nanmedian(dim=1).values.nan_to_num(_USUAL_HZ)
    f0_hz = move_pitch(batch.f0_hz, median, crops.f0_median_hz, chance, judges.moves)
    band_hz = torch.full_like(median, 12_000.0)
    source = Source(batch.audio, f0_hz, nets.energy(batch.audio), own, band_hz)
    losses, made, wanted = _convert(nets, source, crops.reference, judges, chance)
    return {**losses, **teacher_step(nets, batch, None, chance)}, Made(
        made, crops.audio, crops.band_hz, wanted
    )


@dataclass(frozen=True)
class Source:
    """What is converted: sound ``[B, S]``, the pitch to sing, energy, its own voice, its band."""

    audio: Tensor
    f0_hz: Tensor
    energy: Tensor
    own: Tensor
    band_hz: Tensor


def _convert(
    nets: Networks, source: Source, reference: Tensor, judges: Judges, chance: torch.Generator
) -> tuple[Losses, Tensor, Tensor]:
    part = judges.profile.part
    frames = source.audio.shape[1] // 600
    with part("words and style"):
        with torch.no_grad():
            heard = nets.content(source.audio)
            reference_mel = nets.mel(reference)
            wanted, colour = nets.judge(reference_mel), long_term(reference_mel)
        asr = nets.adapter(nets.content(source.audio, chance), frames)
        style = nets.style_of(reference)
        noise = torch.randn_like(source.audio)
    with part("generator"):
        made = nets.decoder(asr, source.f0_hz, source.energy, style, noise)
    with part("judges"):
        mel = nets.mel(made)
        voice = nets.judge(mel)
        own = source.own
        losses = {
            "words": cosine_gap(nets.content(made)[:, 512:], heard[:, 512:]),
            "voice": cosine_gap(voice, wanted),
            "colour": colour_gap(long_term(mel), colour),
            "pitch": judges.pitch(made, source.f0_hz),
            "octave": judges.octave(made, source.f0_hz),
            "doubled": judges.doubled(made, source.f0_hz),
            "floor": judges.floor(made, source.audio, source.f0_hz),
            "leak": F.relu((voice * own).sum(1) - (wanted * own).sum(1) - 0.1).mean(),
        }
        if "power_long" in judges.wanted:
            losses["power_long"] = long_power_gap(mel, reference_mel)
        if "valleys_long" in judges.wanted:
            losses["valleys_long"] = long_valley_loss(mel, reference_mel)
        if "consonants" in judges.wanted:
            heard_mel = nets.mel(source.audio)
            losses["consonants"] = consonant_gap(mel, heard_mel, source.f0_hz, source.band_hz)
    return losses, made, wanted


def move_pitch(
    f0_hz: Tensor,
    median_hz: Tensor,
    wanted_hz: Tensor,
    chance: torch.Generator,
    moves: Moves | None = None,
) -> Tensor:
    """Bring each pitch to the other voice's: some of them exactly, some by whole octaves.

    Some are then raised by up to two octaves, since people sing higher than they speak, and some
    lowered: a melody that is moved by whole octaves can lie under any speech. A share may be moved
    by whole octaves from where it lies, whatever the other voice's pitch.

    Args:
        f0_hz: pitch, 0 where unvoiced.
        median_hz, wanted_hz: usual pitch of the voice and of the other one.
        chance: on their device.
        moves: shares and ranges. Default: see :class:`Moves`.

    Shape: ``f0_hz: [B, F]``, ``median_hz, wanted_hz: [B]`` -> ``[B, F]``.
    """
    moves = moves or Moves()
    apart = torch.log2(wanted_hz / median_hz)

    def rand() -> Tensor:
        return torch.rand(len(apart), generator=chance, device=apart.device)

    octaves = torch.where(rand() < moves.whole_share, apart.round(), apart).clamp(-1.5, 1.5)
    draw = rand()
    up = (draw - (1 - moves.raised_share)).clamp_min(0) / max(moves.raised_share, 1e-9)
    down = (moves.lowered_share - draw).clamp_min(0) / max(moves.lowered_share, 1e-9)
    octaves = octaves + up * moves.raised_octaves - down * moves.lowered_octaves
    if moves.octave_share > 0:
        # Towards the other voice; either way where both lie alike.
        way = torch.where(apart.abs() > _ALIKE_OCTAVES, apart, rand() - 0.5)
        whole = torch.where(way < 0, -1.0, 1.0) * (1 + (rand() * moves.octave_most).floor())
        octaves = torch.where(rand() < moves.octave_share, whole, octaves)
    moved = f0_hz * torch.exp2(octaves)[:, None]
    return torch.where(f0_hz > 0, moved.clamp(_LOWEST_HZ, 1_200.0), 0.0)
