"""SwiftF0: from the ONNX graph's constants to the tensors of ``autovoice.nn.swift_f0``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from autovoice.errors import WeightsError

# The graph's convolutions in the order in which they stand there.
CONVOLUTIONS = (
    "stem",
    *(f"blocks.{block}.{part}" for block in range(6) for part in ("first", "second")),
    "narrow",
    "peak",
    "score",
    "voicing_in",
    "voicing_out",
)
WINDOWS_SAMPLES = (1024, 2048, 512)


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``model.onnx`` into the state dict of ``SwiftF0Network``.

    Args:
        members: base name of the raw file -> path; needs ``model.onnx``.

    Raises:
        WeightsError: the graph is not the one that is known.
    """
    graph = onnx.load(str(members["model.onnx"])).graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    if len(convolutions) != len(CONVOLUTIONS):
        raise WeightsError(
            f"swift-f0: found {len(convolutions)} convolutions, expected {len(CONVOLUTIONS)}; "
            "run `autovoice models pull` for the pinned file"
        )
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, node in zip(CONVOLUTIONS, convolutions, strict=True):
        arrays[f"{name}.weight"] = constants[node.input[1]]
        arrays[f"{name}.bias"] = constants[node.input[2]]
    arrays.update(_front_end(graph, constants))
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    return tensors, {"sample_rate_hz": "16000", "hop_samples": "256", "author": "Lars Nieradzik"}


def _front_end(
    graph: onnx.GraphProto, constants: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    vectors = [array for array in constants.values() if array.ndim == 1]
    found: dict[str, NDArray[np.generic]] = {}
    for size in WINDOWS_SAMPLES:
        found[f"spectrum.window_{size}"] = next(
            array for array in vectors if array.shape == (size,) and array.dtype == np.float32
        )
    scatters = [node for node in graph.node if node.op_type == "ScatterElements"]
    for size, node in zip(WINDOWS_SAMPLES, scatters, strict=True):
        bank = np.zeros((size // 2 + 1) * 128, dtype=np.float32)
        bank[constants[node.input[1]].astype(np.int64)] = constants[node.input[2]]
        found[f"spectrum.bank_{size}"] = bank.reshape(size // 2 + 1, 128)
    found["log_bin_hz"] = next(array for array in vectors if array.dtype == np.float64)
    return found
