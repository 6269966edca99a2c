"""DistillMOS speech quality estimator: keep the model, drop the step counter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from autovoice.errors import WeightsError
from autovoice.weights.converters._checkpoint import floats_of, load_checkpoint


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``distill_mos_v7.pt``, keys unchanged.

    Raises:
        WeightsError: the checkpoint has another shape.

    Source: Stahl and Gamper, "Distillation and pruning for scalable self-supervised
    representation-based speech quality assessment", 2025.
    """
    checkpoint = load_checkpoint(members["distill_mos_v7.pt"])
    if not isinstance(checkpoint, dict) or "model" not in checkpoint:
        raise WeightsError("distill_mos_v7.pt: expected a dict with 'model'")
    return floats_of(checkpoint["model"], "distill_mos_v7.pt"), {"sample_rate_hz": "16000"}
