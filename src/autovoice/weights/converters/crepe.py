"""CREPE pitch network, full or tiny: the checkpoint is a state dict already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from autovoice.errors import WeightsError
from autovoice.weights.converters._checkpoint import floats_of, load_checkpoint


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``full.pth`` or ``tiny.pth``: ``conv1..6``, ``conv1..6_BN`` and ``classifier``.

    Raises:
        WeightsError: not one checkpoint, or not this network.

    Source: Kim et al., "CREPE: a convolutional representation for pitch estimation", 2018.
    """
    if len(members) != 1:
        raise WeightsError(f"expected one CREPE checkpoint, found {sorted(members)}")
    name, path = next(iter(members.items()))
    tensors = floats_of(load_checkpoint(path), name)
    if "classifier.weight" not in tensors:
        raise WeightsError(f"{name}: expected 'classifier.weight', found {sorted(tensors)[:3]}")
    return tensors, {"capacity": Path(name).stem, "sample_rate_hz": "16000", "bins": "360"}
