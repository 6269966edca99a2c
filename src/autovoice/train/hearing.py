"""Listen for words in training: as in use, but disguised, and anywhere in the window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autovoice.train.perturb import disguise

CONTENT_LAYERS = (4, 6)
# The recogniser knows where in its window a frame lies; in use that is anywhere.
LAST_POSITION = 1_000


def heard(whisper: nn.Module, mel: Tensor, chance: torch.Generator | None = None) -> Tensor:
    """Return the layers that the adapter reads, with gradients for the spectrogram.

    Args:
        whisper: ``nn.whisper_encoder.WhisperEncoder``.
        mel: as ``nn.whisper_mel.WhisperMel`` makes it, of ``B`` sounds.
        chance: disguises who speaks, and draws where in the window they do. Default: neither.

    Shape: ``[B, 1024, F]`` at 50 frames/s.
    """
    position = None
    if chance is not None:
        mel = disguise(mel, chance)
        position = torch.randint(0, LAST_POSITION, (len(mel),), generator=chance, device=mel.device)
    layers = whisper(mel, CONTENT_LAYERS, first_position=position)
    return torch.cat(layers, dim=2).transpose(1, 2)
