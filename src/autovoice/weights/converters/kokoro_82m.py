"""Turn the int8 ONNX graph of Kokoro-82M into named float tensors.

The graph was quantised dynamically: integer kernels with one scale per tensor (per column for
matrix products). Its initialisers lost most of their names, so a weight is named after the node
that uses it. Keys come out as ``bert.*``, ``bert_encoder.*``, ``text_encoder.*``,
``predictor.*`` and ``decoder.*``, PyTorch layout.

Source: Kokoro-82M v1.0 (hexgrad, Apache-2.0); ONNX operator definitions for the layouts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autovoice.errors import WeightsError

_PREFIXES = (
    ("decoder.decoder.", "decoder."),
    ("encoder.predictor.", "predictor."),
    ("encoder.F0", "predictor.F0"),
    ("encoder.N", "predictor.N"),
    ("encoder.shared", "predictor.shared"),
    ("encoder.", ""),
)
_KERNELS = {"ConvInteger", "MatMulInteger", "Conv", "ConvTranspose", "MatMul", "FusedMatMul"}
_SUFFIXES = ("Conv_quant", "MatMul_quant", "Gemm_MatMul_quant", "Conv", "ConvTranspose", "MatMul")
Arrays = dict[str, NDArray[Any]]


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read ``kokoro.onnx``; return tensors by module name and the metadata to store.

    Raises:
        WeightsError: the graph is not the pinned one (a scale or a weight is missing).
    """
    import onnx

    graph = onnx.load(str(members["kokoro.onnx"])).graph
    arrays: Arrays = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    tensors: dict[str, torch.Tensor] = {}
    for name, value in _all_weights(graph.node, arrays):
        if "stft" in name:  # the transform's constant basis, which PyTorch has itself
            continue
        tensors.setdefault(name, torch.from_numpy(np.array(value, dtype=np.float32, order="C")))
    if len(tensors) < 450:
        raise WeightsError(f"kokoro.onnx: found {len(tensors)} weights, expected more than 450")
    return tensors, {"model": "Kokoro-82M v1.0", "quantisation": "int8, dequantised"}


def _all_weights(nodes: Any, arrays: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in arrays.items():
        named = name.startswith(("encoder.", "decoder.")) and not name.endswith(
            ("_scale", "_point")
        )
        if named and value.dtype == np.float32:
            yield _key(name), value
    for node in nodes:
        if node.op_type in _KERNELS and len(node.input) > 1 and node.input[1] in arrays:
            yield from _kernel(node, arrays)
        elif node.op_type == "DynamicQuantizeLSTM":
            yield from _lstm(node, arrays)
        elif node.op_type == "DequantizeLinear" and node.name.endswith("DequantizeLinear"):
            base = node.input[1].removesuffix("_scale")
            if base + "_quantized" in arrays:
                yield _key(base), _dequantise(base + "_quantized", node.input[2], arrays)


def _kernel(node: Any, arrays: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    module = _module(node.name)
    if module is None:
        return
    weight_name = node.input[1]
    if node.op_type.endswith("Integer"):
        zero = node.input[3] if len(node.input) > 3 else ""
        weight = _dequantise(weight_name, zero, arrays)
    else:
        weight = arrays[weight_name]
    yield f"{module}.weight", weight.T if "MatMul" in node.op_type else weight


def _dequantise(weight_name: str, zero_name: str, arrays: Arrays) -> NDArray[Any]:
    scale_name = weight_name.removesuffix("_quantized") + "_scale"
    if scale_name not in arrays:
        raise WeightsError(f"kokoro.onnx: no scale {scale_name!r}; expected the pinned graph")
    zero = arrays[zero_name].astype(np.float32) if zero_name else np.float32(0)
    result: NDArray[Any] = (arrays[weight_name].astype(np.float32) - zero) * arrays[scale_name]
    return result


def _lstm(node: Any, arrays: Arrays) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield PyTorch's names for a bidirectional LSTM; ONNX orders the gates i, o, f, c."""
    module = _module(node.name.removesuffix("/LSTM_quant") + "/Conv")
    for kind, position, zero_position in (("ih", 1, 9), ("hh", 2, 11)):
        quantised = arrays[node.input[position]].astype(np.float32)
        scale = arrays[node.input[zero_position - 1]].reshape(2, 1, -1)
        zero = arrays[node.input[zero_position]].astype(np.float32).reshape(2, 1, -1)
        weight = (quantised - zero) * scale
        for direction, suffix in enumerate(("", "_reverse")):
            yield f"{module}.weight_{kind}_l0{suffix}", _gates(weight[direction].T)
    bias = arrays[node.input[3]].reshape(2, 2, -1)
    for direction, suffix in enumerate(("", "_reverse")):
        for index, kind in enumerate(("ih", "hh")):
            yield f"{module}.bias_{kind}_l0{suffix}", _gates(bias[direction, index])


def _gates(rows: NDArray[Any]) -> NDArray[Any]:
    i, o, f, c = np.split(rows, 4)
    return np.concatenate([i, f, c, o])


def _module(node_name: str) -> str | None:
    """Return the module path of ``/decoder/decoder/asr_res/asr_res.0/Conv_quant``."""
    *path, last = node_name.strip("/").split("/")
    if last not in _SUFFIXES or not path:
        return None
    kept = [
        part for part, following in zip(path, [*path[1:], ""], strict=True)
        if not following.startswith(part + ".")
    ]  # fmt: skip
    # ALBERT uses one layer twelve times; the graph numbers the uses (query, query_1, ...).
    return _key(".".join(re.sub(r"_\d+$", "", part) if "bert" in path else part for part in kept))


def _key(name: str) -> str:
    for old, new in _PREFIXES:
        if name.startswith(old):
            return new + name[len(old) :]
    return name
