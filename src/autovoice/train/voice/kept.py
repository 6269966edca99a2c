"""Prepared slices on disk, so that an interrupted training does not prepare them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from autovoice.train.voice.material import Hearing, Item
from autovoice.voices.file import write_whole

FILE = "prepared.safetensors"
_FACTS = "autovoice.prepared"


def save(items: Sequence[Item], folder: Path, key: str) -> None:
    """Write prepared slices, whole or not at all.

    Args:
        items: the slices.
        folder: where the state of the training lies.
        key: of the training (see ``State``).

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    rows = []
    for index, item in enumerate(items):
        tensors[f"{index}.audio"], tensors[f"{index}.f0_hz"] = item.audio, item.f0_hz
        for number, one in enumerate(item.hearings):
            tensors[f"{index}.{number}.content"] = one.content.contiguous()
            tensors[f"{index}.{number}.energy"] = one.energy.clone()
        rows.append([item.band_hz, [one.foreign for one in item.hearings]])
    facts = json.dumps({"key": key, "items": rows})
    write_whole(folder / FILE, save_tensors(tensors, metadata={_FACTS: facts}))


def load(folder: Path, key: str) -> list[Item] | None:
    """Read the prepared slices of the training ``key``; None where there are none."""
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            if facts["key"] != key:
                return None
            return [
                Item(
                    file.get_tensor(f"{index}.audio"),
                    file.get_tensor(f"{index}.f0_hz"),
                    float(band_hz),
                    tuple(
                        Hearing(
                            file.get_tensor(f"{index}.{number}.content"),
                            file.get_tensor(f"{index}.{number}.energy"),
                            bool(foreign),
                        )
                        for number, foreign in enumerate(hearings)
                    ),
                )
                for index, (band_hz, hearings) in enumerate(facts["items"])
            ]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None  # missing or damaged: they are prepared anew
