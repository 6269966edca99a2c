"""FCPE: from the published checkpoint to the tensors of ``autovoice.nn.fcpe``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from autovoice.errors import WeightsError

# Checkpoint name -> ours; ``{}`` stands for the number of the layer.
_TOP = {
    "input_stack.0": "stem_in",
    "input_stack.1": "stem_norm",
    "input_stack.3": "stem_out",
    "norm": "norm",
}
_LAYER = {"0": "norm", "2": "widen", "4.conv": "along_time", "6": "narrow"}


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``fcpe_c_v001.pt`` into the state dict of ``FcpeNetwork``.

    Args:
        members: base name of the raw file -> path; needs ``fcpe_c_v001.pt``.

    Raises:
        WeightsError: the checkpoint is not the one that is known.
    """
    checkpoint = torch.load(members["fcpe_c_v001.pt"], map_location="cpu", weights_only=True)
    source: dict[str, torch.Tensor] = checkpoint["model"]
    layers = int(checkpoint["config_dict"]["model"]["n_layers"])
    names = dict(_TOP)
    for layer in range(layers):
        for theirs, ours in _LAYER.items():
            names[f"net.encoder_layers.{layer}.conformer.net.{theirs}"] = f"layers.{layer}.{ours}"
    try:
        tensors = {
            f"{ours}.{kind}": source[f"{theirs}.{kind}"].float().contiguous()
            for theirs, ours in names.items()
            for kind in ("weight", "bias")
        }
        # The last layer is stored as length times direction (weight normalisation).
        direction, length = source["output_proj.weight_v"], source["output_proj.weight_g"]
        tensors["head.weight"] = (length * direction / direction.norm(dim=1, keepdim=True)).float()
        tensors["head.bias"] = source["output_proj.bias"].float()
        tensors["cents"] = source["cent_table"].float()
    except KeyError as missing:
        raise WeightsError(
            f"fcpe: found no tensor {missing}; run `autovoice models pull` for the pinned file"
        ) from missing
    return tensors, {"sample_rate_hz": "16000", "hop_samples": "160", "author": "CNChTu"}
