"""Clean sound for the critics: what they hear as real decides what the decoder learns to make.

Why: most of the corpus was read in living rooms at 16 kHz. Critics that hear the recordings that
items are cut from as real teach that noise to a decoder which began cleaner than they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autovoice.train.colour import paint, random_colour
from autovoice.train.corpus import Corpus
from autovoice.train.stock import Stock
from autovoice.train.synthetic import SyntheticPairs

# A voice that is played a little faster is another one, and keeps its band.
_SPEEDS = (1.0, 1.12)
_TEACHER_BAND_HZ = 12_000.0


@dataclass(frozen=True)
class CleanSound:
    """Real sound for the critics.

    Args:
        audio: ``[B, S]`` 24 kHz.
        band_hz: ``[B]`` up to where it has sound.
    """

    audio: Tensor
    band_hz: Tensor


def draw_clean(
    corpus: Corpus,
    teacher: SyntheticPairs | Stock,
    shape: tuple[int, int],
    rng: np.random.Generator,
    chance: torch.Generator,
) -> CleanSound:
    """Draw half of a batch from clean speakers and half from the teacher's speech and song.

    All of it goes through the same random equalisers as what the decoder is asked for.

    Args:
        corpus, teacher: where it comes from.
        shape: items, and samples of each; the teacher's are at least as long.
        rng, chance: sources of chance.
    """
    batch, samples = shape
    spoken = batch - batch // 2
    crops = corpus.draw(spoken, samples, rng, speeds=_SPEEDS, reference_samples=600, clean=True)
    audio, band_hz = crops.audio, crops.band_hz
    if batch > spoken:
        made = teacher.sample(batch, chance)
        audio = torch.cat([audio, made.audio[: batch - spoken, :samples]])
        band_hz = torch.cat([band_hz, torch.full_like(band_hz[: batch - spoken], _TEACHER_BAND_HZ)])
    colour = random_colour(batch, chance, device=audio.device)
    return CleanSound(paint(audio, colour), band_hz)
