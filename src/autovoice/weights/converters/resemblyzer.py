"""Resemblyzer's GE2E speaker encoder: keep the model, drop the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from autovoice.errors import WeightsError
from autovoice.weights.converters._checkpoint import floats_of, load_checkpoint


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``pretrained.pt``: ``lstm.*`` (3 layers, 40 -> 256) and ``linear.*`` (256 -> 256).

    Raises:
        WeightsError: the checkpoint has another shape.

    Source: Wan et al., "Generalized end-to-end loss for speaker verification", 2018.
    """
    checkpoint = load_checkpoint(members["pretrained.pt"])
    if not isinstance(checkpoint, dict) or "model_state" not in checkpoint:
        raise WeightsError("pretrained.pt: expected a dict with 'model_state'")
    tensors = floats_of(checkpoint["model_state"], "pretrained.pt")
    # The similarity scale of the training loss takes no part in an embedding.
    kept = {key: value for key, value in tensors.items() if key.startswith(("lstm.", "linear."))}
    return kept, {"sample_rate_hz": "16000", "mel_bands": "40", "embedding": "256"}
