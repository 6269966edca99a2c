"""Whisper-base: the encoder out of a CTranslate2 model file (weights by OpenAI, MIT).

The file is little-endian: ``u32`` file version, the specification's name, ``u32`` revision,
``u32`` number of variables; then per variable its name, ``u8`` rank, ``u32`` per dimension,
``u8`` type, ``u32`` bytes, the raw data. A name is ``u16`` length, which counts the closing zero.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import torch

from autovoice.errors import WeightsError

_FILE_VERSION = 6
_SPECIFICATION = "WhisperSpec"
_PREFIX = "encoder/"
_LAYERS = 6
_MAX_RANK = 4
_TYPES = {
    0: torch.float32,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.float16,
    5: torch.bfloat16,
}


class _Reader:
    """Read numbers, names and data, and never past the end of the file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size

    def take(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise WeightsError(
                f"whisper-base: the model file ends {count - len(data)} bytes early (it has "
                f"{self._size}); remove it from the cache and run `autovoice models pull`"
            )
        return data

    def number(self, layout: str) -> int:
        value: int = struct.unpack(layout, self.take(struct.calcsize(layout)))[0]
        return value

    def name(self) -> str:
        return self.take(self.number("<H")).rstrip(b"\0").decode("utf-8", "replace")

    def data(self, count: int, wanted: bool) -> bytes:
        left = self._size - self._stream.tell()
        if count > left:
            raise WeightsError(
                f"whisper-base: a variable claims {count} bytes, the model file has {left} left; "
                "remove it from the cache and run `autovoice models pull`"
            )
        if wanted:
            return self.take(count)
        self._stream.seek(count, 1)
        return b""


def _variables(reader: _Reader) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield each variable of the encoder; the others are stepped over."""
    for _ in range(reader.number("<I")):
        name = reader.name()
        rank = reader.number("<B")
        if rank > _MAX_RANK:
            raise WeightsError(f"whisper-base: {name!r} has rank {rank}, expected 0 to {_MAX_RANK}")
        shape = [reader.number("<I") for _ in range(rank)]
        type_id = reader.number("<B")
        count = reader.number("<I")
        dtype = _TYPES.get(type_id)
        if dtype is None or math.prod(shape) * dtype.itemsize != count:
            raise WeightsError(
                f"whisper-base: {name!r} has type {type_id}, shape {shape} and {count} bytes, "
                f"which do not fit together; expected a type of {sorted(_TYPES)}"
            )
        wanted = name.startswith(_PREFIX)
        data = reader.data(count, wanted)
        if wanted:
            yield name, torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def _block_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for layer in range(_LAYERS):
        theirs, ours = f"encoder/layer_{layer}/", f"blocks.{layer}."
        parts = {
            "self_attention/layer_norm/gamma": "attention_norm.weight",
            "self_attention/layer_norm/beta": "attention_norm.bias",
            "self_attention/linear_0/weight": "attention.qkv.weight",
            "self_attention/linear_0/bias": "attention.qkv.bias",
            "self_attention/linear_1/weight": "attention.out.weight",
            "self_attention/linear_1/bias": "attention.out.bias",
            "ffn/layer_norm/gamma": "feed_forward_norm.weight",
            "ffn/layer_norm/beta": "feed_forward_norm.bias",
            "ffn/linear_0/weight": "expand.weight",
            "ffn/linear_0/bias": "expand.bias",
            "ffn/linear_1/weight": "contract.weight",
            "ffn/linear_1/bias": "contract.bias",
        }
        names |= {theirs + key: ours + value for key, value in parts.items()}
    return names


def _tensor_names() -> dict[str, str]:
    return {
        "encoder/conv1/weight": "conv1.weight",
        "encoder/conv1/bias": "conv1.bias",
        "encoder/conv2/weight": "conv2.weight",
        "encoder/conv2/bias": "conv2.bias",
        "encoder/position_encodings/encodings": "positions",
        "encoder/layer_norm/gamma": "final_norm.weight",
        "encoder/layer_norm/beta": "final_norm.bias",
        **_block_names(),
    }


def convert(members: Mapping[str, Path]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Take the encoder's tensors out of the joined CTranslate2 file, as stored (float16).

    Args:
        members: holds ``model.bin``, the two published parts joined.

    Returns:
        Tensors under the names of ``autovoice.nn.whisper_encoder.WhisperEncoder``, and metadata.

    Raises:
        WeightsError: the file is cut short, damaged or another model.
    """
    path = members["model.bin"]
    with path.open("rb") as stream:
        reader = _Reader(stream, path.stat().st_size)
        version = reader.number("<I")
        specification = reader.name() if version == _FILE_VERSION else "unknown"
        if specification != _SPECIFICATION:
            raise WeightsError(
                f"whisper-base: found file version {version} of {specification!r}, expected "
                f"version {_FILE_VERSION} of {_SPECIFICATION!r}"
            )
        revision = reader.number("<I")
        found = dict(_variables(reader))
    names = _tensor_names()
    missing = sorted(names.keys() - found.keys())
    if missing:
        raise WeightsError(f"whisper-base: the model file lacks {missing[0]} ({len(missing)} such)")
    tensors = {ours: found[theirs].contiguous() for theirs, ours in names.items()}
    return tensors, {"specification": specification, "revision": str(revision), "heads": "8"}
