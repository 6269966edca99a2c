"""What training a voice works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autovoice import weights
from autovoice.train.voice.judge import Ear, Ears
from autovoice.train.voice.parts import Parts, load_parts
from autovoice.train.voice.request import PLANS, Plan, Request
from autovoice.train.voice.strangers import Teller, teller
from autovoice.voices import BUILTIN_VOICES, Encoders, Voice, builtin_voice, encoders_on


@dataclass(eq=False)
class Tools:
    """What training works with; tests put stand-ins here.

    Args:
        encoders: listen to recordings.
        parts: the networks.
        ear: judges sound.
        others: voices that sing the slices first.
        voice_model_sha256: of the voice model at hand.
        plan: what the device can do.
        tell: makes other people's words.
    """

    encoders: Encoders
    parts: Parts
    ear: Ear
    others: Sequence[Voice]
    voice_model_sha256: str
    plan: Plan
    tell: Teller

    @staticmethod
    def of(request: Request) -> Tools:
        """Load the project's own.

        Raises:
            WeightsError: weights are missing.
        """
        parts = load_parts(request.device)
        return Tools(
            encoders_on(request.device),
            parts,
            Ears(request.device, threads=torch.get_num_threads()),
            [builtin_voice(name) for name in BUILTIN_VOICES],
            weights.voice_model_sha256(),
            PLANS[request.kind],
            teller(parts.decoder, request.device),
        )
