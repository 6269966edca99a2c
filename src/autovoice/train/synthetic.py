"""Training pairs from the teacher: random sentences in random voices, spoken and sung."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from autovoice.nn.kokoro_text import STYLE, KokoroText, TextFeatures, length_mask
from autovoice.train.phonemes import VOWELS, PhonemeBank, resources
from autovoice.train.sung_contour import SingingStyle, sung_contour, uniform

# The pitch branch regresses: unvoiced frames read up to 20 Hz, and it passes through low values
# on its way between them and voiced ones. No voice is this low.
VOICED_ABOVE_HZ = 40.0
# A voice's usual pitch when a clip has no voiced frame to tell it.
_USUAL_HZ = 180.0


@dataclass(frozen=True, eq=False)
class SyntheticBatch:
    """Sound and everything the decoder made it from.

    Args:
        audio: ``[B, 600 T]`` float32 at 24 kHz.
        asr: ``[B, 512, T]`` content at 40 frames/s.
        f0_hz: ``[B, 2T]`` pitch, 0 where unvoiced.
        energy: ``[B, 2T]`` log energy.
        style: ``[B, 128]`` timbre.
        frames: ``[B]`` int64 content frames before the closing silence was stretched, at most T.
        sung: ``[B]`` bool.
        sentence: ``[B]`` int64 index into the phoneme bank.
    """

    audio: Tensor
    asr: Tensor
    f0_hz: Tensor
    energy: Tensor
    style: Tensor
    frames: Tensor
    sung: Tensor
    sentence: Tensor


@dataclass(frozen=True)
class SyntheticOptions:
    """Bounds of the random choices.

    Args:
        crop_frames: content frames per clip (25 ms each). Default 96, that is 2.4 s; None for
            whole sentences.
        sung_share: share of sung clips in [0, 1]. Default 0.5.
        speed: slowest and fastest speech. Default 0.7-1.3.
        stretch: longest stretch of a sung vowel. Default 5.
        extrapolation: greatest distance from the mean voice, as a multiple of a mixture's.
            Default 1.6.
        weight_bounds: of one voice in a mixture. Default -0.5 to 1.5.
        style_noise: greatest noise on a style, as a share of the voices' own spread. Default 0.25.
        energy_offset: greatest change of log energy either way. Default 0.3.
        max_tokens: longer sentences are cut at words. Default 80.
        source_noise: give the decoder noise for breath and consonants. Default off, as in the
            graph that the teacher comes from.
        singing: bounds of the melodies.
    """

    crop_frames: int | None = 96
    sung_share: float = 0.5
    speed: tuple[float, float] = (0.7, 1.3)
    stretch: float = 5.0
    extrapolation: float = 1.6
    weight_bounds: tuple[float, float] = (-0.5, 1.5)
    style_noise: float = 0.25
    energy_offset: float = 0.3
    max_tokens: int = 80
    source_noise: bool = False
    singing: SingingStyle = field(default_factory=SingingStyle)


class SyntheticPairs:
    """Make batches of teacher speech and song, without gradients, on the teacher's device.

    Args:
        text: the text side, with weights.
        decoder: ``(asr, f0_hz, energy, style[, noise]) -> audio``.
        packs: ``[V, 510, 256]`` voices by number of phonemes.
        bank: phoneme sequences.
        options: bounds of the random choices.
    """

    def __init__(
        self,
        text: KokoroText,
        decoder: nn.Module,
        packs: Tensor,
        bank: PhonemeBank,
        options: SyntheticOptions | None = None,
    ) -> None:
        self.text, self.decoder = text.eval(), decoder
        self.options = options or SyntheticOptions()
        self.device = next(text.parameters()).device
        self.packs = packs.to(self.device, torch.float32)
        self.sentences = _Sentences(bank, self.device)
        vocabulary = resources()["vocabulary"]
        self.is_vowel = torch.zeros(max(vocabulary.values()) + 1, dtype=torch.bool)
        self.is_vowel[[vocabulary[c] for c in sorted(VOWELS | {"ː"})]] = True
        self.is_vowel = self.is_vowel.to(self.device)

    @torch.no_grad()
    def sample(self, batch: int, generator: torch.Generator) -> SyntheticBatch:
        """Make one batch.

        Args:
            batch: clips, at least 1.
            generator: on the teacher's device.
        """
        options = self.options
        tokens, lengths, sentence = self.sentences.draw(batch, options.max_tokens, generator)
        styles = self.voices(lengths - 2, generator)
        sung = uniform((batch,), 0.0, 1.0, generator) < options.sung_share
        speed = uniform((batch,), *options.speed, generator)
        stretch = uniform((batch, 1), 1.0, options.stretch, generator)
        scale = uniform((batch, tokens.shape[1]), 0.0, 1.0, generator)
        scale = torch.where(self.is_vowel[tokens] & sung[:, None], stretch**scale, 1.0)
        features = self.text(tokens, lengths, styles, speed, duration_scale=scale)
        asr, f0_hz, energy, frames = self._crop(features, generator)
        f0_hz = self._melody(features, f0_hz, sung, generator)
        bound = options.energy_offset
        energy = energy + uniform((batch, 1), -bound, bound, generator)
        style = styles[:, :STYLE]
        audio = self._decode(asr, f0_hz, energy, style, generator)
        return SyntheticBatch(audio, asr, f0_hz, energy, style, frames, sung, sentence)

    def voices(self, phonemes: Tensor, generator: torch.Generator) -> Tensor:
        """Blend random voices for sentences of so many phonemes, ``[B] -> [B, 256]``."""
        rows = self.packs[:, phonemes.clamp(0, self.packs.shape[1] - 1)]
        timbre = self._weights(len(phonemes), generator)
        own = self._weights(len(phonemes), generator)
        # The manner of speaking lies anywhere between the timbre's own and another voice's.
        prosody = torch.lerp(timbre, own, uniform((len(phonemes), 1), 0.0, 1.0, generator))
        halves = [
            torch.einsum("bv,vbc->bc", weights, rows[..., half])
            for weights, half in ((timbre, slice(0, STYLE)), (prosody, slice(STYLE, None)))
        ]
        blended = torch.cat(halves, dim=-1)
        level = uniform((len(blended), 1), 0.0, self.options.style_noise, generator)
        noise = torch.randn(blended.shape, generator=generator, device=self.device)
        return blended + level * rows.std(dim=0, correction=0) * noise

    def _weights(self, batch: int, generator: torch.Generator) -> Tensor:
        """Draw mixing weights that sum to 1; some lie outside [0, 1]."""
        count = len(self.packs)
        # Exponential draws divided by their sum are evenly spread over all mixtures; the power
        # favours single voices.
        draws = -torch.log(uniform((batch, count), 1e-6, 1.0, generator))
        draws = draws**1.5
        mixture = draws / draws.sum(dim=1, keepdim=True)
        reach = uniform((batch, 1), 0.6, max(0.6, self.options.extrapolation), generator)
        weights = (1 / count + reach * (mixture - 1 / count)).clamp(*self.options.weight_bounds)
        return weights + (1 - weights.sum(dim=1, keepdim=True)) / count

    def _crop(
        self, features: TextFeatures, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Cut every row at a random place; short rows hold their closing silence."""
        longest = features.asr.shape[-1]
        size = self.options.crop_frames or longest
        room = (features.frames - size).clamp(min=0) + 1
        start = (uniform((len(room),), 0.0, 1.0, generator) * room).long()
        offset = torch.arange(size, device=self.device)
        index = torch.minimum(start[:, None] + offset, features.frames[:, None] - 1)
        asr = features.asr.gather(2, index[:, None].expand(-1, features.asr.shape[1], -1))
        double = torch.arange(2 * size, device=self.device)
        index = torch.minimum(2 * start[:, None] + double, 2 * features.frames[:, None] - 1)
        f0_hz, energy = features.f0_hz.gather(1, index), features.energy.gather(1, index)
        return asr, f0_hz, energy, features.frames.clamp(max=size)

    def _melody(
        self, features: TextFeatures, f0_hz: Tensor, sung: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Put a sung curve in place of the spoken one where a sung clip is voiced."""
        spoken = features.f0_hz
        real = length_mask(2 * features.frames, spoken.shape[1])
        usual = torch.nanmedian(
            spoken.masked_fill(~real | (spoken < VOICED_ABOVE_HZ), torch.nan), dim=1
        ).values.nan_to_num(_USUAL_HZ)
        contour = sung_contour(usual, f0_hz.shape[1], generator, self.options.singing)
        voiced = f0_hz > VOICED_ABOVE_HZ
        return torch.where(sung[:, None], contour, f0_hz) * voiced

    def _decode(
        self,
        asr: Tensor,
        f0_hz: Tensor,
        energy: Tensor,
        style: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        inputs = [asr, f0_hz, energy, style]
        if self.options.source_noise:
            shape = (len(asr), 600 * asr.shape[-1])
            inputs.append(torch.randn(shape, generator=generator, device=self.device))
        # Pitch and durations want full precision; the sound, the bulk of the work, does not.
        fast = self.device.type == "cuda"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=fast):
            audio: Tensor = self.decoder(*inputs)
        return audio.float()


class _Sentences:
    """The phoneme bank as one padded table on a device."""

    def __init__(self, bank: PhonemeBank, device: torch.device) -> None:
        offsets = torch.from_numpy(bank.offsets)
        self.lengths = (offsets[1:] - offsets[:-1]).to(device)
        position = torch.arange(int(self.lengths.max()))
        index = (offsets[:-1, None] + position).clamp(max=len(bank.tokens) - 1)
        table = torch.from_numpy(bank.tokens).long()[index].to(device)
        self.table = table * length_mask(self.lengths, table.shape[1])
        self.space = resources()["vocabulary"][" "]

    def draw(
        self, batch: int, longest: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens with 0 at both ends ``[B, N]``, their lengths, and the sentences."""
        device = self.table.device
        sentence = torch.randint(len(self.lengths), (batch,), generator=generator, device=device)
        rows, lengths = self.table[sentence], self.lengths[sentence]
        begin = self._word_start(rows, lengths, longest, generator)
        index = (begin[:, None] + torch.arange(longest, device=device)).clamp(max=rows.shape[1] - 1)
        lengths = (lengths - begin).clamp(max=longest)
        cut = rows.gather(1, index) * length_mask(lengths, longest)
        cut = nn.functional.pad(cut, (1, 1))[:, : int(lengths.max()) + 2]
        return cut, lengths + 2, sentence

    def _word_start(
        self, rows: Tensor, lengths: Tensor, longest: int, generator: torch.Generator
    ) -> Tensor:
        """Choose where to cut into each row: 0, or just after a space."""
        position = torch.arange(rows.shape[1], device=rows.device)
        room = (lengths - longest).clamp(min=0)
        wanted = (uniform((len(rows),), 0.0, 1.0, generator) * (room + 1)).long()
        after_space = (rows == self.space) & (position < wanted[:, None])
        return torch.where(after_space, position + 1, 0).amax(dim=1)
