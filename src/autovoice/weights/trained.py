"""Open the trained model that comes with the program."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from autovoice.errors import WeightsError
from autovoice.weights.bundled import bundled_path, read_index
from autovoice.weights.files import sha256_of

PREFIX = "voice-model-"


def voice_model(part: str) -> dict[str, Tensor]:
    """Return the float32 tensors of one part of the voice model, without the part's name.

    Matrices may be stored as int8 with a ``.row_scale`` per output row.

    Args:
        part: ``adapter``, ``style`` or ``decoder``; the last may be empty, when the decoder of
            Kokoro-82M is used as it is.

    Raises:
        WeightsError: a file is missing or damaged.
    """
    found: dict[str, Tensor] = {}
    listed = sorted(name for name in read_index() if name.startswith(PREFIX))
    names = listed or [PREFIX + "0.safetensors"]
    for name in names:
        path = bundled_path(name)
        try:
            with safe_open(path, framework="pt") as file:
                keys = [key for key in file.keys() if key.startswith(part + ".")]  # noqa: SIM118
                found.update({key[len(part) + 1 :]: file.get_tensor(key) for key in keys})
        except (OSError, ValueError, SafetensorError) as error:
            raise WeightsError(
                f"{path}: cannot be read ({error}); install AutoVoice again"
            ) from error
    if not found and part != "decoder":
        raise WeightsError(
            f"{', '.join(names)}: found no tensors of the part {part!r}; restore the voice model "
            "(`git checkout -- models`) or install AutoVoice again"
        )
    return restored(found)


def voice_model_sha256() -> str:
    """Return what changes whenever a file of the voice model does.

    Raises:
        WeightsError: a file is missing.
    """
    index = read_index()
    listed = sorted(name for name in index if name.startswith(PREFIX))
    sums = [index[name].sha256 for name in listed]
    sums = sums or [sha256_of(bundled_path(PREFIX + "0.safetensors"))]
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return every tensor as float32, int8 rows multiplied by their ``.row_scale``.

    Raises:
        WeightsError: an int8 tensor has no scale, or not one per row.
    """
    return {key: _float(key, tensors) for key in tensors if not key.endswith(".row_scale")}


def _float(key: str, tensors: Mapping[str, Tensor]) -> Tensor:
    value = tensors[key]
    if value.dtype != torch.int8:
        return value.float()
    scale = tensors.get(key + ".row_scale")
    if scale is None or scale.numel() != len(value):
        raise WeightsError(
            f"{key}: found {0 if scale is None else scale.numel()} row scales, expected "
            f"{len(value)}; restore the voice model (`git checkout -- models`) or install "
            "AutoVoice again"
        )
    scale = scale.float()
    return value.float() * scale.view(-1, *[1] * (value.ndim - 1))
