"""Save and load what was trained, in parts small enough to carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from autovoice.weights.trained import restored

PART_BYTES = 15 * 2**20


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round to int8 with one scale per output row: ``w ~ q * scale``."""
    rows = weight.float().flatten(1)
    scale = rows.abs().amax(1).clamp_min(1e-12) / 127
    return (rows / scale[:, None]).round().to(torch.int8).view_as(weight), scale


def pack(tensors: Mapping[str, Tensor], int8: bool) -> dict[str, Tensor]:
    """Cast to float16, or large matrices to int8 beside a ``.row_scale``."""
    packed: dict[str, Tensor] = {}
    for name, value in tensors.items():
        kept = value.detach()
        # Rounded where it lies: a device is quicker at that, and a fourth has to be brought over.
        if int8 and kept.ndim >= 2 and kept.numel() >= 4096:
            rounded, scale = quantise(kept)
            packed[name], packed[name + ".row_scale"] = rounded.cpu(), scale.cpu()
        else:
            packed[name] = kept.to(torch.float16).cpu().contiguous()
    return packed


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo :func:`pack`: float32 tensors."""
    return restored(tensors)


def save(
    folder: Path, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write ``name-0.safetensors``, ``name-1.safetensors``... with ``facts`` in each header."""
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, value in tensors.items():
        bytes_here = value.numel() * value.element_size()
        if size + bytes_here > PART_BYTES and parts[-1]:
            parts.append({})
            size = 0
        parts[-1][key] = value
        size += bytes_here
    folder.mkdir(parents=True, exist_ok=True)
    header = {"facts": json.dumps(dict(facts))}
    for index, part in enumerate(parts):
        temporary = folder / f"{name}-{index}.tmp"
        save_file(part, temporary, metadata=header)
        temporary.replace(folder / f"{name}-{index}.safetensors")
    # Parts of an earlier, larger state must not be joined with these.
    index = len(parts)
    while (stale := folder / f"{name}-{index}.safetensors").exists():
        stale.unlink()
        index += 1


def load(folder: Path, name: str) -> dict[str, Tensor]:
    """Read every part of ``name`` back, unpacked; empty where there is none."""
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob(f"{name}-*.safetensors")):
        with safe_open(path, framework="pt") as file:
            tensors.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    return unpack(tensors)


def facts(folder: Path, name: str) -> dict[str, object]:
    """Read what was written beside the tensors of ``name``; empty where there is none."""
    path = folder / f"{name}-0.safetensors"
    if not path.is_file():
        return {}
    with safe_open(path, framework="pt") as file:
        return facts_in(file)


def facts_in(file: Any) -> dict[str, object]:
    """Read the facts in the header of an open safetensors file; empty where there are none."""
    found: dict[str, object] = json.loads((file.metadata() or {}).get("facts", "{}"))
    return found
