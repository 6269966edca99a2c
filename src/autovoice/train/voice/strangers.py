"""Other people's words: made speech and song that the voice learns to sing too.

A minute of recordings holds few of the sounds of a language, and what is fitted to them alone
forgets the others. So every second step converts somebody else's invented syllables. Of such a
conversion there is no true sound; its words, its pitch and its long-term spectrum are known.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from autovoice import weights
from autovoice.analyse.loudness import decoder_energy, level_gain
from autovoice.convert.fit import semitones_auto
from autovoice.nn.kokoro_text import KokoroText
from autovoice.train.phonemes import invented
from autovoice.train.synthetic import SyntheticOptions, SyntheticPairs
from autovoice.train.voice.material import TICK, TICK_FRAMES, Item, hear
from autovoice.train.voice.parts import Parts
from autovoice.types import FloatArray, Pitch, Speaker

# A clip of made speech: its samples ``[S]`` at 24 kHz and its pitch ``[S // 300]``.
Clip = tuple[FloatArray, FloatArray]
Teller = Callable[[int, int], list[Clip]]
CLIP_TICKS = 24
_SENTENCES = 400


def teller(decoder: nn.Module, device: str) -> Teller:
    """Return what makes clips: ``(count, seed) -> clips`` of 2.4 s, half of them sung.

    Args:
        decoder: of the voice model.
        device: where it is.

    Raises:
        WeightsError: the text side of the voice model's family is missing.
    """
    tensors = weights.tensors("kokoro-82m")
    text = KokoroText()
    text.load_state_dict({k: v for k, v in tensors.items() if not k.startswith("decoder.")})
    with np.load(weights.file("kokoro-82m", "voices_ja.npz")) as voices:
        packs = torch.from_numpy(np.stack([voices[name][:, 0] for name in sorted(voices)]))
    options = SyntheticOptions(crop_frames=CLIP_TICKS * TICK_FRAMES, source_noise=True)
    text.requires_grad_(False).to(device)
    pairs = SyntheticPairs(text, decoder, packs, invented(_SENTENCES), options)

    def tell(count: int, seed: int) -> list[Clip]:
        chance = torch.Generator(device).manual_seed(seed)
        clips = []
        for _ in range(count):
            batch = pairs.sample(1, chance)
            clips.append((batch.audio[0].cpu().numpy(), batch.f0_hz[0].float().cpu().numpy()))
        return clips

    return tell


def strangers(
    clips: list[Clip],
    parts: Parts,
    speaker: Speaker,
    *,
    seed: int = 0,
) -> list[Item]:
    """Prepare clips: their words, heard in disguise and as they are, and their fitted pitch.

    Args:
        clips: what others said or sang.
        parts: the networks.
        speaker: the voice that will sing them, for the octave.
        seed: of the disguises.
    """
    chance = torch.Generator(parts.device).manual_seed(seed)
    items = []
    for clip, curve in clips:
        cut = clip[: len(clip) // TICK * TICK]
        samples = cut * np.float32(level_gain(cut, 24_000))
        f0_hz = curve[: len(samples) // 300]
        pitch = Pitch(f0_hz, np.ones_like(f0_hz), 1 / 80, 0.5 / 80)
        moved = (f0_hz * 2.0 ** (semitones_auto(pitch, speaker) / 12)).astype(np.float32)
        energy = torch.from_numpy(decoder_energy(samples).values)
        audio = torch.from_numpy(samples).to(parts.device)
        hearings = (hear(parts, audio, energy, chance), hear(parts, audio, energy, None))
        curves = torch.from_numpy(np.stack([moved, moved]))
        items.append(Item(audio.cpu(), curves, 12_000.0, hearings))
    return items
