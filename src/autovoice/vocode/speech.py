"""The decoder that speaks: halfway between Kokoro's own and the one that was trained to sing."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from autovoice import weights
from autovoice.nn.adain import AdaINResBlock1
from autovoice.nn.styled_pieces import multiplies_bfloat16
from autovoice.vocode.vocoder import Vocoder

# How much of the way from Kokoro's decoder (0) to the trained one (1). Both have the same shape and
# the one grew out of the other, so that what lies between them speaks too (Wortsman et al. 2022,
# "Model soups"). See docs/speak.md for what was measured.
SHARE = 0.5


def speech_vocoder(device: str | torch.device = "cpu", *, share: float = SHARE) -> Vocoder:
    """Return a vocoder for speech.

    Where the processor has units for it, the products of the vocoder's convolutions are bfloat16;
    docs/speak.md says what that does to the sound.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``. Default ``cpu``.
        share: of the trained decoder, 0 to 1. Default 0.5.

    Raises:
        WeightsError: the weights cannot be had.
    """
    own = {
        key.removeprefix("decoder."): value
        for key, value in weights.tensors("kokoro-82m").items()
        if key.startswith("decoder.")
    }
    tensors = between(own, weights.voice_model("decoder"), share)
    # Voices with additions of their own speak through another decoder; this one is seldom needed
    # as it is, for notes that are held.
    vocoder = Vocoder(device=device, tensors=tensors, lean=True)
    if multiplies_bfloat16():
        for module in vocoder.network.modules():
            if isinstance(module, AdaINResBlock1):
                module.piece_dtype = torch.bfloat16
    return vocoder


def between(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], share: float
) -> dict[str, torch.Tensor]:
    """Return tensors between two sets; what the second lacks stays as in the first.

    Args:
        first, second: tensors of equal shapes by name.
        share: of the second, 0 to 1.
    """
    return {
        name: torch.lerp(value, second[name].to(value.dtype), share) if name in second else value
        for name, value in first.items()
    }
